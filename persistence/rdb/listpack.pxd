import cython

@cython.locals(size=Py_ssize_t, pos=Py_ssize_t, end=Py_ssize_t, out=list)
cpdef list decode(bytes blob)
@cython.locals(first=int, start=Py_ssize_t, length=Py_ssize_t, number=int, width=Py_ssize_t)
cdef Py_ssize_t _element(bytes blob, Py_ssize_t pos, Py_ssize_t end, list out) except -1
@cython.locals(size=Py_ssize_t)
cdef Py_ssize_t _check_backlen(bytes blob, Py_ssize_t start, Py_ssize_t pos, Py_ssize_t end) except -1
cpdef bytes backlen(Py_ssize_t size)
@cython.locals(size=Py_ssize_t, first=int, body=bytes)
cpdef bytes element(bytes raw)
cpdef bytes wrap(list elements)
