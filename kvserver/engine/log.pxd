import cython

@cython.final
cdef class CommandLog:
    cdef public long long offset
    cdef public list sinks
    cdef public list pending
    cdef public int selected
    cdef public object on_pending, on_active
    cpdef append(self, int db, list args)
    cpdef append_raw(self, bytes data)
    cpdef flush(self)
