import cython
from kvserver.engine.values.id_map cimport Chunk

cdef Py_ssize_t _FRAME, _NODE_MOST

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
    @cython.locals(
        found=list, i=Py_ssize_t, n=Py_ssize_t, j=Py_ssize_t, place=Py_ssize_t, node=Node, ids=list, values=list,
        whole=bint,
    )
    cpdef list first(self, Py_ssize_t count, tuple start=*, tuple end=*, bint reverse=*)

cdef class StreamValue(StreamView):
    cdef public list waste
    @cython.locals(count=Py_ssize_t, text=Py_ssize_t, fields=list, node=Node, most=Py_ssize_t, base=tuple, i=Py_ssize_t)
    cpdef append(self, tuple entry, list flat, Py_ssize_t node_entries, Py_ssize_t node_bytes)
    cpdef Node own(self, Py_ssize_t i)
    @cython.locals(node=Node, values=list, j=Py_ssize_t)
    cpdef find_first(self)
    cpdef Py_ssize_t trim_to_length(self, Py_ssize_t most, bint whole_nodes, Py_ssize_t limit) except -1
    cpdef Py_ssize_t trim_below(self, tuple lowest, bint whole_nodes, Py_ssize_t limit) except -1
    @cython.locals(gone=Py_ssize_t)
    cdef Py_ssize_t _trim(self, Py_ssize_t most, tuple lowest, bint whole_nodes, Py_ssize_t limit) except -1
    @cython.locals(gone=Py_ssize_t, dropped=Py_ssize_t, node=Node)
    cdef Py_ssize_t _drop_nodes(self, Py_ssize_t most, tuple lowest, Py_ssize_t limit) except -1
    @cython.locals(gone=Py_ssize_t, node=Node, values=list, j=Py_ssize_t)
    cdef Py_ssize_t _bury(self, Py_ssize_t most, tuple lowest) except -1
