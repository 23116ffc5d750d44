from persistence.rdb.model cimport Key

cdef class Restorer:
    cdef public object dbs
    cdef public long long now_ms, keys, expired
    cdef public bint keep_expired, replace
    cdef public dict aux
    cdef public list functions, gone
    cdef _store(self, Key found)
