import cython
from kvserver.engine.command_table.row cimport Row
from kvserver.engine.run.session cimport Session

@cython.final
cdef class Gate:
    cdef public str name
    cdef public long flags, mask
    cdef public int attention, asked
    cdef public object answer
    cdef public bytes in_script
    cpdef bint looks(self, long flags, int attention, int context) except -1
    cpdef bytes reply(self, object engine, Session c, Row row, list args, int context)
