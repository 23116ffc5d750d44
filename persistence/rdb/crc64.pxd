import cython

cdef unsigned long long[2048] _table

cpdef unsigned long long crc64(bytes data, unsigned long long crc=*)
@cython.locals(size=Py_ssize_t, pos=Py_ssize_t)
cdef unsigned long long _sliced(bytes data, unsigned long long crc)

cdef class Checksum:
    cdef unsigned long long _crc
    cdef list _pieces
    cdef Py_ssize_t _gathered
    cpdef update(self, bytes data)
    cpdef unsigned long long value(self)
