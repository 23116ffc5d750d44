import cython
from kvserver.client.output cimport Output
from kvserver.client.server cimport Server
from kvserver.engine.run.executor cimport Engine
from kvserver.engine.run.session cimport Session

cdef Py_ssize_t _posted_max
cdef int _write, _hold
cdef long long _data

cdef class Sending:
    cdef public Server server
    cdef public Engine engine
    cdef public object transport
    cdef public Session session
    cdef public Output output
    cdef public object reason
    cdef public bint reading, held_linear
    cdef public int held_level
    cdef object __weakref__
    @cython.locals(c=Session, do=int, level=int, safe=bint, exempt=bint, linear=bint, offset=cython.longlong)
    cpdef _send(self, bytes data)
    @cython.locals(output=Output)
    cpdef write(self, data)
