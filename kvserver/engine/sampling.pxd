import cython
from cpython.ref cimport PyObject

cdef double _slots

@cython.locals(count=Py_ssize_t, part=dict, _=int, i=Py_ssize_t, guess=double)
cpdef bytes random_of(list parts, object rng)
@cython.locals(position=Py_ssize_t, key="PyObject *")
cdef bytes at_slot(dict part, Py_ssize_t slot)
