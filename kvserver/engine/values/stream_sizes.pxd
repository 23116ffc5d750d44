import cython

cpdef Py_ssize_t number_bytes(long long number) except -1
@cython.locals(difference="long long")
cpdef Py_ssize_t distance_bytes(unsigned long long number, unsigned long long base) except -1
@cython.locals(size=Py_ssize_t, i=Py_ssize_t, negative=bint, digit=int, number="long long")
cpdef Py_ssize_t element_bytes(bytes raw) except -1
@cython.locals(size=Py_ssize_t, raw=bytes)
cpdef Py_ssize_t elements_bytes(list elements) except -1
@cython.locals(n=Py_ssize_t, i=Py_ssize_t, mine=bytes, theirs=bytes)
cpdef bint has_fields(list flat, list fields) except -1
@cython.locals(size=Py_ssize_t, raw=bytes)
cpdef Py_ssize_t text_bytes(list elements) except -1
