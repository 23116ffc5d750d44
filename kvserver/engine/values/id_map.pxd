import cython

@cython.locals(m=int, q=cython.ulonglong, part=int)
cpdef bytes format_id(tuple entry)

cdef class Chunk:
    cdef public list ids, values
    cdef public bint shared

@cython.locals(low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t, chunk=Chunk)
cpdef Py_ssize_t chunk_of(list chunks, tuple wanted) except -1

@cython.final
cdef class IdMap:
    cdef public list chunks
    cdef public Py_ssize_t size
    @cython.locals(i=Py_ssize_t, j=Py_ssize_t, chunk=Chunk)
    cpdef object get(self, tuple wanted)
    @cython.locals(chunk=Chunk)
    cpdef Chunk own(self, Py_ssize_t i)
    @cython.locals(i=Py_ssize_t, j=Py_ssize_t, half=Py_ssize_t, chunk=Chunk)
    cpdef bint set(self, tuple wanted, object value) except -1
    @cython.locals(i=Py_ssize_t, j=Py_ssize_t, chunk=Chunk)
    cpdef object pop(self, tuple wanted)
