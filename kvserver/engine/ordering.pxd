import cython

@cython.locals(other=double)
cdef bint below(tuple pair, double score, object name) except -1
@cython.locals(low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t)
cdef Py_ssize_t place_in(list chunk, double score, object name) except -1

@cython.final
cdef class Ordering:
    cdef public list chunks
    cdef public Py_ssize_t size
    cdef public set shared
    @cython.locals(chunk=list)
    cpdef list own(self, Py_ssize_t i)
    @cython.locals(low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t, chunk=list)
    cpdef Py_ssize_t chunk_of(self, double score, object name) except -1
    @cython.locals(i=Py_ssize_t, chunk=list, pair=tuple, half=Py_ssize_t)
    cpdef add(self, object score, bytes member)
    @cython.locals(i=Py_ssize_t, chunk=list)
    cpdef discard(self, double score, bytes member)
    @cython.locals(i=Py_ssize_t, chunk=list)
    cpdef tuple pop_edge(self, bint lowest)
    @cython.locals(i=Py_ssize_t, j=Py_ssize_t, n=Py_ssize_t, chunk=list)
    cpdef Py_ssize_t bisect(self, double score, object name) except -1
    @cython.locals(i=Py_ssize_t, behind=Py_ssize_t)
    cpdef tuple locate(self, Py_ssize_t place)
    cpdef list slice(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef cut(self, Py_ssize_t start, Py_ssize_t stop)
