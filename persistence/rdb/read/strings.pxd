from persistence.rdb.read.reader cimport Reader

cdef class StringFiller:
    cdef list dbs
    cdef long long now_ms
    cdef bint keep_expired
    cdef Py_ssize_t count
    cpdef Py_ssize_t fill(self, Reader reader, long db) except -1
    cpdef Py_ssize_t taken(self)
