import cython
from kvserver.engine.run.executor cimport Engine
from kvserver.engine.run.session cimport Session
from kvserver.scripting.bridge cimport Commands
from kvserver.scripting.running cimport Running
from kvserver.scripting.runtime cimport Runtime
from kvserver.engine.command_table.row cimport Row

cdef long _noscript, _changes, _write
cdef int _everywhere, _restricted, _script, _first_write, _first_need, _allow_oom
cdef long long _not_small

cdef class Api(Commands):
    cdef public Engine engine
    cdef public Runtime machine
    cdef public Session session
    cdef public Running running
    cdef public bint deny_scripts
    cdef public object on_tick, on_log, trace, _rng
    @cython.locals(c=Session, caller=Session)
    cpdef begin(self, Running running)
    @cython.locals(
        engine=Engine, running=Running, row=Row, refusal=bytes, mark=Py_ssize_t, c=Session, reply=bytes
    )
    cpdef bytes perform(self, list request)
    @cython.locals(machine=Runtime)
    cdef object _call(self, list request)
    @cython.locals(kind=int, number="long long", machine=Runtime)
    cdef object _value(self, bytes reply)
    @cython.locals(flags=long, watched=bint, context=int, refusal=bytes)
    cdef bytes _refusal(self, Engine engine, Running running, Row row, list args)
    cdef bytes _counted(self, bytes text, Row row=*)
