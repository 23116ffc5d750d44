import cython
from kvserver.engine.keys.keyspace cimport State
from kvserver.engine.run.session cimport Session
from kvserver.engine.values.stream_value cimport StreamValue

cdef long long _NODES_AT_ONCE

cdef class Trim:
    cdef public bytes by
    cdef public bint about, make, limited
    cdef public long long limit, most
    cdef public tuple lowest
    cdef public Py_ssize_t place
    @cython.locals(i=Py_ssize_t, word=bytes, more=bint)
    cpdef Py_ssize_t read(self, Session c, list a, bint adding) except -1
    cdef Py_ssize_t _threshold(self, list a, Py_ssize_t i, bytes word) except -1
    @cython.locals(most="long long")
    cpdef check(self, Session c, bint adding)
    @cython.locals(gone=Py_ssize_t)
    cpdef Py_ssize_t apply(self, StreamValue value, State state) except -1
    cpdef exact(self, list line, StreamValue value)
