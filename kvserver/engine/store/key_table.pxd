from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint64_t

from kvserver.engine.store.entry cimport OBJECT, entry_t, key_of, key_size, load64, value_of
from kvserver.engine.store.slots cimport table_t

cdef inline object key_object(entry_t *e):
    return PyBytes_FromStringAndSize(key_of(e), <Py_ssize_t>key_size(e))

cdef inline object value_object(entry_t *e):
    if e.flags & OBJECT:
        return <object><void *>load64(value_of(e))
    return PyBytes_FromStringAndSize(value_of(e), e.value_size)

cdef class KeyTable:
    cdef table_t t
    cdef public long long when
    cpdef bint has(self, bytes key) except -1
    cpdef object get(self, bytes key)
    cpdef bint set(self, bytes key, object value) except -1
    cpdef bint put(self, bytes key, object value) except -1
    cpdef object pop(self, bytes key)
    cpdef long long expiry(self, bytes key) except? -2
    cpdef bint expire_at(self, bytes key, long long when_ms) except -1
    cpdef bint persist(self, bytes key) except -1
    cdef uint64_t *slot(self, bytes key) noexcept
    cdef bint store(self, bytes key, object value, bint keeps) except -1
    cdef int change(self, uint64_t h, uint64_t *slot, object value, int64_t when) except -1
    cdef list free_part(self)
