import cython
from kvserver.engine.run.executor cimport Engine
from kvserver.engine.run.session cimport Session
from kvserver.scripting.api cimport Api
from kvserver.scripting.running cimport Running
from kvserver.scripting.runtime cimport Runtime
from kvserver.engine.command_table.row cimport Row

cdef long _compat, _stale, _harmless, _oom
cdef int _internal, _declared

cdef class Script:
    cdef public bytes sha, body
    cdef public object fn
    cdef public long flags
    cdef public bint loaded

cdef class Host:
    cdef public Engine engine
    cdef public object clock, on_end, libraries, debugger, open_channel, promise
    cdef public bint deprecated
    cdef public dict scripts, debug_modes
    cdef public Runtime _machine
    cdef public Api api
    @cython.locals(args=list, engine=Engine, running=Running, machine=Runtime, refusal=bytes, started_ns="long long")
    cpdef bytes run(
        self, Session c, object fn, Py_ssize_t keys, bytes name, long flags, bint read_only, bint is_function
    )
    cdef bytes _reply(self, bytes name, object result)
    cpdef bytes refusal(self, Session c, long flags, bint read_only)
    @cython.locals(engine=Engine)
    cdef bytes _gate(self, Session c, Row row)

@cython.locals(text=bytes, n="long long")
cpdef Py_ssize_t key_count(list args) except? -1
cpdef Host host_of(Session c)
