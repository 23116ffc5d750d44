from persistence.rdb.model cimport Key
from persistence.rdb.read.strings cimport StringFiller

cdef class Restorer:
    cdef public object dbs
    cdef public StringFiller filler
    cdef public long long now_ms, keys, expired
    cdef public bint keep_expired, replace
    cdef public dict aux
    cdef public list functions, gone
    cdef _store(self, Key found)
