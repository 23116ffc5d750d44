import cython
from cpython.ref cimport PyObject

cdef unsigned long long _slots, _multiplier, _increment, _mask, _low
cdef int _guesses

@cython.locals(count=Py_ssize_t, part=dict, _=int, x=cython.ulonglong, y=cython.ulonglong)
cpdef bytes random_of(list parts, object rng)
@cython.locals(position=Py_ssize_t, key="PyObject *")
cdef bytes at_slot(dict part, Py_ssize_t slot)
