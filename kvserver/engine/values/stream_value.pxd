import cython
from kvserver.engine.values.id_map cimport Chunk

cdef Py_ssize_t _FRAME, _NODE_MOST

cpdef Py_ssize_t number_bytes(long long number) except -1
@cython.locals(difference="long long")
cpdef Py_ssize_t distance_bytes(unsigned long long number, unsigned long long base) except -1
@cython.locals(size=Py_ssize_t)
cpdef Py_ssize_t element_bytes(bytes raw) except -1
@cython.locals(size=Py_ssize_t, raw=bytes)
cpdef Py_ssize_t elements_bytes(list elements) except -1
@cython.locals(size=Py_ssize_t, raw=bytes)
cpdef Py_ssize_t text_bytes(list elements) except -1

@cython.final
cdef class Node(Chunk):
    cdef public list fields
    cdef public Py_ssize_t live, bytes

cdef class StreamView:
    cdef public list nodes
    cdef public Py_ssize_t length
    cdef public tuple last_id, first_id, max_deleted_id
    cdef public unsigned long long entries_added
    cdef public dict groups

cdef class StreamValue(StreamView):
    cdef public list waste
    @cython.locals(count=Py_ssize_t, text=Py_ssize_t, fields=list, node=Node, most=Py_ssize_t, base=tuple, same=bint)
    cpdef append(self, tuple entry, list flat, Py_ssize_t node_entries, Py_ssize_t node_bytes)
