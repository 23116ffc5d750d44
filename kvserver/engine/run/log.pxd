import cython

cdef int _kept_only

@cython.final
cdef class CommandLog:
    cdef public long long offset
    cdef public list sinks, keepers
    cdef public list pending, kept
    cdef public int selected
    cdef public bint uneven, whole
    cdef public object on_pending, on_active, on_broken
    cpdef append(self, int db, list args)
    cpdef append_raw(self, bytes data)
    cpdef append_plain(self, int db, bytes data)
    cpdef append_passing(self, bytes data)
    cpdef append_outside(self, int db, list args)
    @cython.locals(pending=list, kept=list, data=bytes, same=bint)
    cdef _hand_over(self)
    cpdef flush(self)
