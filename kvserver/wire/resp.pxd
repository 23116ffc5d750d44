import cython

cdef Py_ssize_t _name_max
cdef long long _shared
cdef list _integers, _digits

@cython.final
cdef class Parser:
    cdef public bytes buf
    cdef public Py_ssize_t pos
    cdef public bytearray pieces
    cdef public Py_ssize_t have
    cdef public Py_ssize_t need
    cdef public list args
    cdef public Py_ssize_t left
    cdef public Py_ssize_t bulk_len
    cdef public Py_ssize_t max_bulk
    cdef public bint trusted
    cdef public bytes name, key
    @cython.locals(rest=bytes)
    cpdef feed(self, bytes data)
    cpdef Py_ssize_t buffered(self)
    cpdef Py_ssize_t gathered(self)
    @cython.locals(buf=bytes, s=cython.p_const_char, n=Py_ssize_t, p=Py_ssize_t, v=Py_ssize_t)
    cpdef list next(self)
    @cython.locals(p=Py_ssize_t, v=Py_ssize_t, args=list)
    cdef bint arguments(self, const char* s, Py_ssize_t n) except -1
    cpdef Py_ssize_t header(self, Py_ssize_t start, Py_ssize_t most, bint is_bulk) except? -3
    cpdef list inline(self)

@cython.locals(out=bytes)
cpdef bytes bulk(bytes value)
@cython.locals(size=Py_ssize_t)
cpdef bytes integer(long long n)
@cython.locals(size=Py_ssize_t)
cpdef bytes digits(long long n)
cpdef bytes encode_request(list args)
@cython.locals(item=bytes, total=Py_ssize_t, size=Py_ssize_t, out=bytes, d=cython.p_char)
cpdef bytes bulks(list values)

cdef bytes again(const char* s, Py_ssize_t p, Py_ssize_t v, bytes last)
@cython.locals(v=int, c=int)
cdef int short_header(const char* s, Py_ssize_t q, Py_ssize_t n) noexcept
cpdef bytes null(int proto)
