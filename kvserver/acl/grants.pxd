import cython
from kvserver.engine.run.session cimport Session
from kvserver.engine.command_table.row cimport Row

@cython.final
cdef class Plan:
    cdef public bint always
    cdef public Py_ssize_t first, last, step
    cdef public set names
    cdef public list prefixes, matchers
    cpdef add(self, bytes pattern)
    @cython.locals(n=Py_ssize_t, last=Py_ssize_t, i=Py_ssize_t)
    cpdef bint allows(self, list args) except -1
    @cython.locals(prefix=bytes)
    cpdef bint fits(self, bytes key) except -1

@cython.final
cdef class Gatekeeper:
    cdef public object default
    @cython.locals(user=object, plans=dict, plan=Plan)
    cpdef bint allows(self, Session c, Row row, list args) except -1
