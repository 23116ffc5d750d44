import cython

cdef Py_ssize_t _load

cdef class Table:
    cdef public list parts
    cdef public Py_ssize_t count
    cdef public Py_ssize_t low
    cdef public Py_ssize_t high
    cdef public Py_ssize_t used
    cdef public set shared
    cpdef Py_ssize_t index(self, Py_ssize_t h)
    @cython.locals(i=Py_ssize_t, d=dict)
    cpdef bint has(self, bytes key) except -1
    @cython.locals(i=Py_ssize_t, d=dict)
    cpdef object get(self, bytes key)
    @cython.locals(i=Py_ssize_t, n=Py_ssize_t, d=dict)
    cpdef bint set(self, bytes key, object value) except -1
    @cython.locals(i=Py_ssize_t, d=dict)
    cpdef object pop(self, bytes key)
    cpdef dict own(self, Py_ssize_t i)
    @cython.locals(i=Py_ssize_t, bit=Py_ssize_t, stay=dict, move=dict, old=dict)
    cpdef split(self)
    @cython.locals(i=Py_ssize_t, last=dict, target=dict)
    cpdef merge(self)
    cpdef Py_ssize_t level_mask(self, Py_ssize_t i)
    cpdef object random_key(self, object rng)
