import cython

cdef class RecordDecoder:
    cdef public Py_ssize_t max_bulk
    cdef public long long valid_up_to, multi_at, lines
    cdef public list annotations, salvaged
    cdef long long _base, _start
    cdef bytes _buf
    cdef Py_ssize_t _pos, _need, _left, _bulk_len
    cdef bytearray _pieces
    cdef list _args
    cpdef list feed(self, bytes data)
    @cython.locals(rest=bytes, missing=Py_ssize_t)
    cdef bint _take(self, bytes data) except -1
    @cython.locals(buf=bytes, s=cython.p_const_char, n=Py_ssize_t, p=Py_ssize_t, v=Py_ssize_t)
    cdef _run(self, list records)
    @cython.locals(s=cython.p_const_char, q=Py_ssize_t, v=cython.longlong, c=int)
    cdef Py_ssize_t _header(self, Py_ssize_t p, Py_ssize_t n, int prefix, long long most) except -2
    @cython.locals(name=bytes)
    cdef _whole(self, list args)
    @cython.locals(end=Py_ssize_t)
    cdef bint _annotation(self, Py_ssize_t p) except -1
