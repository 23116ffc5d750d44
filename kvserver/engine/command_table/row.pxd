import cython

@cython.final
cdef class Row:
    cdef public str name
    cdef public object fn
    cdef public Py_ssize_t arity, least, most
    cdef public long flags
    cdef public object facts
    cdef public dict subs
    cdef public long calls
    cdef public double seconds
    cdef public long rejected
    cdef public long failed
    cdef public list buckets
