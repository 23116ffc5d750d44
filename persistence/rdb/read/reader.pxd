import cython

cdef class Reader:
    cdef public bytes buf
    cdef public Py_ssize_t pos, start, end
    cdef public long long base
    cpdef int byte(self) except -1
    cpdef bytes take(self, Py_ssize_t size)
    cpdef object length(self)
    cpdef object plain_length(self, int first)
    @cython.locals(size=Py_ssize_t, stop=Py_ssize_t)
    cpdef bytes string(self)
    cpdef Py_ssize_t size(self, int first) except -1
    cpdef bytes encoded_string(self, int encoding)
    cpdef double binary_double(self) except? -1
    cpdef long long milliseconds(self) except? -1
