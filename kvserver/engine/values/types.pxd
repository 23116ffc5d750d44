import cython
from kvserver.engine.values.ordering cimport Ordering
from kvserver.engine.keys.table cimport Table

cdef class Limits:
    cdef public Py_ssize_t hash_entries, hash_value, set_intset, zset_entries, zset_value, list_size
    cdef public Py_ssize_t hll_sparse, stream_bytes, stream_entries, max_string

cdef class HashValue(Table):
    cdef public bint big
    cpdef bint put(self, bytes field, bytes value) except -1

cdef class SetValue(Table):
    cdef public bint big
    cpdef bint add(self, bytes member) except -1

cdef class ZSetValue(Table):
    cdef public bint big
    cdef public Ordering order
    @cython.locals(old=object)
    cpdef bint put(self, bytes member, object score) except -1
    cpdef tuple pop_edge(self, bint lowest)
    cpdef bint discard(self, bytes member) except -1

cdef class ExpiringHash(HashValue):
    cdef public ZSetValue ttls
    cpdef bint put(self, bytes field, bytes value) except -1
    cpdef object pop(self, bytes key)
