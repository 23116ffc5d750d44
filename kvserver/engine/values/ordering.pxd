import cython
from cpython.array cimport array

@cython.final
cdef class Chunk:
    cdef public array scores
    cdef public list names
    cpdef Chunk part(self, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t, names=list)
    cpdef Py_ssize_t place(self, double score, object name) except -1

@cython.locals(scores=array, names=list, pair=tuple, raw=cython.p_double, i=Py_ssize_t)
cpdef Chunk chunk_of_pairs(list pairs)
@cython.locals(low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t, raw=cython.p_double)
cdef Py_ssize_t below(array scores, double score) noexcept
@cython.locals(high=Py_ssize_t, middle=Py_ssize_t, raw=cython.p_double)
cdef Py_ssize_t up_to(array scores, double score, Py_ssize_t low) noexcept

@cython.final
cdef class Ordering:
    cdef public list chunks
    cdef public array tops
    cdef public Py_ssize_t size
    cdef public set shared
    @cython.locals(chunk=Chunk)
    cpdef Chunk own(self, Py_ssize_t i)
    @cython.locals(low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t, chunk=Chunk)
    cpdef Py_ssize_t chunk_of(self, double score, object name) except -1
    @cython.locals(chunk=Chunk)
    cpdef drop(self, Py_ssize_t i)
    @cython.locals(i=Py_ssize_t, chunk=Chunk, behind=Chunk, place=Py_ssize_t, size=Py_ssize_t, half=Py_ssize_t)
    cpdef add(self, double score, bytes member)
    @cython.locals(i=Py_ssize_t, chunk=Chunk, place=Py_ssize_t)
    cpdef discard(self, double score, bytes member)
    @cython.locals(i=Py_ssize_t, chunk=Chunk, place=Py_ssize_t)
    cpdef tuple pop_edge(self, bint lowest)
    @cython.locals(i=Py_ssize_t, j=Py_ssize_t, n=Py_ssize_t, chunk=Chunk)
    cpdef Py_ssize_t bisect(self, double score, object name) except -1
    @cython.locals(i=Py_ssize_t, behind=Py_ssize_t, chunk=Chunk)
    cpdef tuple locate(self, Py_ssize_t place)
    @cython.locals(out=list, i=Py_ssize_t, want=Py_ssize_t, chunk=Chunk, part=Chunk)
    cpdef list parts(self, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(out=list, i=Py_ssize_t, place=Py_ssize_t, want=Py_ssize_t, chunk=Chunk, part=list)
    cpdef list names(self, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(out=list)
    cpdef list slice(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef cut(self, Py_ssize_t start, Py_ssize_t stop)
