import cython
from kvserver.engine.values.limits cimport Limits

cdef Py_ssize_t _chunk, _head_chunk

@cython.final
cdef class ListValue:
    cdef public Limits limits
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
