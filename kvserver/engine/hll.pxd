import cython

cdef bytes _SHORT_SPANS

@cython.locals(
    at=cython.Py_ssize_t, first=cython.Py_ssize_t, previous=cython.Py_ssize_t, begin=cython.Py_ssize_t,
    end=cython.Py_ssize_t, count=cython.Py_ssize_t, size=cython.Py_ssize_t,
)
cpdef tuple _find_run(bytearray raw, Py_ssize_t index, object marks)
