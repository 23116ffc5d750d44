import cython

cdef unsigned long long _epoch
cdef unsigned long long[65536] _seen

@cython.locals(
    size=Py_ssize_t, base="unsigned long long", out=bytearray, last=Py_ssize_t, pos=Py_ssize_t,
    literal=Py_ssize_t, used=Py_ssize_t, slot=Py_ssize_t, ref=Py_ssize_t, length=Py_ssize_t,
)
cpdef bytes compress(bytes data, Py_ssize_t limit)
@cython.locals(three="unsigned int")
cdef Py_ssize_t _slot(bytes data, Py_ssize_t pos) noexcept
@cython.locals(longest=Py_ssize_t, length=Py_ssize_t)
cdef Py_ssize_t _match(bytes data, Py_ssize_t ref, Py_ssize_t pos, Py_ssize_t size) noexcept
cdef Py_ssize_t _literal(bytearray out, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1
cdef Py_ssize_t _reference(bytearray out, Py_ssize_t away, Py_ssize_t length) except -1
@cython.locals(
    out=bytearray, piece=bytearray, pos=Py_ssize_t, made=Py_ssize_t, end=Py_ssize_t, control="unsigned int",
    length=Py_ssize_t, start=Py_ssize_t,
)
cpdef bytes decompress(bytes data, Py_ssize_t size)
