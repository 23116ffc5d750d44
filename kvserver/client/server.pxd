import cython
from kvserver.engine.fast.way cimport FastWay
from kvserver.engine.run.executor cimport Engine

@cython.final
cdef class Limits:
    cdef public long maxclients
    cdef public long long query_buffer, max_bulk, reply_bytes, unsent
    cdef public dict output
    cdef public long timeout_s, keepalive_s
    cdef public bint protected_mode

@cython.final
cdef class Server:
    cdef public Engine engine
    cdef public Limits limits
    cdef public FastWay fast
    cdef public object holds, needs_auth
    cdef object _connection
    cdef public dict connections, ended
    cdef public long long accepted, rejected, net_in, net_out, net_repl_in, net_repl_out, reads, writes
    cdef public object on_end, watch, wall
    cdef public bint system_time
    cpdef received(self, Py_ssize_t size)
    cpdef replicated(self, Py_ssize_t size)
    cpdef sent(self, Py_ssize_t size)

cdef long long now_ms(Server server) except -1
