import cython

@cython.locals(n=Py_ssize_t, i=Py_ssize_t, digit=int, value=cython.longlong)
cpdef long long plain(bytes raw) except? -2
@cython.locals(n=Py_ssize_t)
cpdef bint is_int(bytes raw) except -1
@cython.locals(number=cython.longlong)
cpdef object parse_int(bytes raw, str text=*)
@cython.locals(number=cython.longlong)
cpdef double parse_float(bytes raw, str text=*) except? -1.0
@cython.locals(number=cython.longlong)
cpdef double read_double(bytes raw, str text=*) except? -1.0
cpdef bytes format_double(double value)
