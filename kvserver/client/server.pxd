import cython
from kvserver.engine.run.executor cimport Engine
from kvserver.engine.keys.keyspace cimport State
from kvserver.engine.run.session cimport Session
from kvserver.wire.resp cimport Parser

cdef Py_ssize_t _gather_max, _reply_cost
cdef int _close, _reply, _unauthenticated

cdef bytes _attend(Parser parser, Session c, bytes reply)

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
    cdef public object holds, needs_auth
    cdef public dict connections
    cdef public long long accepted, rejected, net_in, net_out, reads, writes, output_limit_kills, query_limit_kills
    cdef public object on_protocol_error, watch, wall
    cdef public bint system_time
    cpdef received(self, Py_ssize_t size)
    cpdef sent(self, Py_ssize_t size)

cdef long long now_ms(Server server) except -1

@cython.final
cdef class Connection:
    cdef public Server server
    cdef public Engine engine
    cdef public object transport
    cdef public Session session
    cdef public Parser parser
    cdef public bint paused, slow, reading, closing, ending
    cdef public Py_ssize_t held, held_bytes
    cdef public double soft_since
    cdef public list unfinished
    cdef public Py_ssize_t counted, counted_bytes, last_pending
    cdef public object outbox
    cdef object __weakref__
    @cython.locals(c=Session, now=cython.longlong, n=Py_ssize_t)
    cpdef data_received(self, data)
    @cython.locals(c=Session, engine=Engine, parser=Parser, out=list, gathered=Py_ssize_t, args=list, reply=bytes)
    cpdef serve(self)
    @cython.locals(n=Py_ssize_t, data=bytes)
    cpdef _flush(self, Session c, list out)
