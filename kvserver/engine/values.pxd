import cython
from kvserver.engine.table cimport Table

cdef class Limits:
    cdef public Py_ssize_t hash_entries, hash_value, set_intset, zset_entries, zset_value, list_size

cdef class HashValue(Table):
    cdef public bint big
    cpdef bint put(self, bytes field, bytes value) except -1

cdef class SetValue(Table):
    cdef public bint big
    cpdef bint add(self, bytes member) except -1

cdef class ZSetValue(Table):
    cdef public bint big
    cdef public object order
    cpdef bint put(self, bytes member, double score) except -1
    cpdef bint discard(self, bytes member) except -1

@cython.final
cdef class ListValue:
    cdef public list chunks
    cdef public Py_ssize_t size
    cdef public set shared
    @cython.locals(chunk=list)
    cpdef push_head(self, bytes element)
    @cython.locals(chunk=list)
    cpdef push_tail(self, bytes element)
    @cython.locals(chunk=list)
    cpdef bytes pop_head(self)
    @cython.locals(chunk=list, i=Py_ssize_t)
    cpdef bytes pop_tail(self)
    @cython.locals(chunk=list)
    cpdef list own(self, Py_ssize_t i)
