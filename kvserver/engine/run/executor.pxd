import cython
from kvserver.engine.keys.keyspace cimport Db, State
from kvserver.engine.run.gates cimport Gate
from kvserver.engine.run.log cimport CommandLog
from kvserver.engine.run.session cimport Session
from kvserver.engine.command_table.row cimport Row

cdef double _bucket_s
cdef int _tracking, _restricted

@cython.final
cdef class Engine:
    cdef public State state
    cdef public CommandLog log
    cdef public list dbs
    cdef public dict rows
    cdef public list gates
    cdef public long deny
    cdef public dict deny_masks
    cdef public int depth
    cdef public list batch
    cdef public dict sessions
    cdef public long long next_id
    cdef public Session current
    cdef public dict ready
    cdef public bint serving_ready
    cdef public list timeouts
    cdef public object on_deadline
    cdef public int blocked_count
    cdef public long long commands
    cdef public dict errors
    cdef public long unexpected_errors
    cdef public long long last_ns
    cdef public double slow_s
    cdef public object on_slow, on_crash, on_broken, call_tracked, may
    cdef public list on_key_changed, on_close
    cdef public dict channels, patterns, shard_channels
    cdef public object services
    @cython.locals(gate=Gate, reply=bytes)
    cpdef bytes ask(self, Session c, Row row, list args, int context)
    @cython.locals(row=Row, reply=bytes)
    cpdef bytes execute(self, Session c, list args)
    @cython.locals(st=State, dirty="long long", previous=Session, reply=bytes, refusal=object,
                   now=cython.longlong, spent=double)
    cpdef bytes call(self, Session c, Row row, list args)
    cpdef count_slow(self, Session c, Row row, list args, double spent)
    @cython.locals(st=State)
    cpdef propagate(self, Session c, Row row, list args, bint dirty)
    cpdef log_batch(self)

cpdef bint unhindered(Engine engine, Session c, Row row, list args) except -1
