import cython
from kvserver.engine.run.session cimport Session

cdef class Running:
    cdef public Session caller
    cdef public bytes name
    cdef public bint is_function, read_only, wrote, slow
    cdef public list args
    cdef public double started_s, deadline_s
    cdef public long flags
    cdef public int stop, repl, overdue
    cdef begin(
        self, Session caller, bytes name, bint is_function, list args, double started_s, long flags, bint read_only
    )

@cython.locals(running=Running)
cpdef Running begun(
    Session caller, bytes name, bint is_function, list args, double started_s, long flags, bint read_only
)
