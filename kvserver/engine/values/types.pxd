import cython
from kvserver.engine.values.ordering cimport Ordering
from kvserver.engine.keys.table cimport Table
from kvserver.engine.values.limits cimport Limits

cdef int _same, _moved, _new

cdef class HashValue(Table):
    cdef public Limits limits
    cdef public bint big
    @cython.locals(limits=Limits, longest=Py_ssize_t)
    cpdef bint put(self, bytes field, bytes value) except -1

cdef class SetValue(Table):
    cdef public Limits limits
    cdef public bint big
    cpdef bint add(self, bytes member) except -1

cdef class ZSetValue(Table):
    cdef public Limits limits
    cdef public bint big
    cdef public Ordering order
    @staticmethod
    @cython.locals(value=ZSetValue, longest=Py_ssize_t, size=Py_ssize_t, pair=tuple, member=bytes)
    cdef ZSetValue made(list pairs, Limits limits)
    cpdef bint put(self, bytes member, object score) except -1
    @cython.locals(old=object)
    cpdef int place(self, bytes member, object score) except -1
    cpdef Py_ssize_t rank(self, bytes member) except -1
    cpdef tuple pop_edge(self, bint lowest)
    cpdef bint discard(self, bytes member) except -1

cdef class ExpiringHash(HashValue):
    cdef public ZSetValue ttls
    cpdef bint put(self, bytes field, bytes value) except -1
    cpdef object pop(self, bytes key)
