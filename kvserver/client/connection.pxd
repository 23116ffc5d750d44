import cython
from kvserver.client.sending cimport Sending
from kvserver.engine.fast.way cimport FastWay
from kvserver.engine.run.executor cimport Engine
from kvserver.engine.run.session cimport Session
from kvserver.wire.resp cimport Parser

cdef Py_ssize_t _gather_max, _reply_cost, _fast_cost
cdef int _close, _reply, _unauthenticated

cdef bytes _attend(Parser parser, Session c, bytes reply)

@cython.final
cdef class Connection(Sending):
    cdef public Parser parser
    cdef public list unfinished
    cdef public Py_ssize_t counted, counted_bytes, last_pending, still_sweeps
    @cython.locals(c=Session, now=cython.longlong, n=Py_ssize_t)
    cpdef data_received(self, data)
    @cython.locals(c=Session, engine=Engine, parser=Parser, fast=FastWay, out=list, gathered=Py_ssize_t,
                   args=list, reply=bytes, replies=bytes, served=Py_ssize_t)
    cpdef serve(self)
    @cython.locals(n=Py_ssize_t, data=bytes)
    cpdef _flush(self, Session c, list out)
