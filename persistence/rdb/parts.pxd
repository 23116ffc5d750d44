cdef class Part:
    cdef public object left
    cdef public object value
