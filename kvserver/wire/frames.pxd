# What all encoders of replies have in common, in C: there is no such module for Python.
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy

# Write `kind`, the number `n` and CRLF to `d`, which has room for 24 bytes; return how many were written.
cdef inline Py_ssize_t write_head(char* d, char kind, long long n) noexcept:
    cdef char[24] line
    cdef int m = 22
    cdef unsigned long long u = -<unsigned long long>n if n < 0 else <unsigned long long>n
    line[22] = 13
    line[23] = 10
    while True:
        m -= 1
        line[m] = <char>(48 + u % 10)
        u = u // 10
        if u == 0:
            break
    if n < 0:
        m -= 1
        line[m] = 45
    m -= 1
    line[m] = kind
    memcpy(d, &line[m], 24 - m)
    return 24 - m

# Write a bulk string to `d`, which has room for it; return how many bytes were written.
cdef inline Py_ssize_t write_bulk(char* d, bytes value) noexcept:
    cdef Py_ssize_t n = PyBytes_GET_SIZE(value)
    cdef Py_ssize_t h = write_head(d, 36, n)
    memcpy(d + h, PyBytes_AS_STRING(value), n)
    d[h + n] = 13
    d[h + n + 1] = 10
    return h + n + 2

# The bytes that a bulk string of `n` bytes takes on the wire.
cdef inline Py_ssize_t bulk_size(Py_ssize_t n) noexcept:
    cdef Py_ssize_t size = n + 6
    while n > 9:
        n = n // 10
        size += 1
    return size

# The bytes that an array of bulk strings takes on the wire, and writing one to `d`, which has room for it.
cdef inline Py_ssize_t array_size(list values) noexcept:
    cdef Py_ssize_t n = len(values)
    cdef Py_ssize_t size = bulk_size(n) - n - 2
    cdef bytes item
    for item in values:
        size += bulk_size(PyBytes_GET_SIZE(item))
    return size

cdef inline Py_ssize_t write_array(char* d, list values) noexcept:
    cdef char* start = d
    cdef bytes item
    d += write_head(d, 42, len(values))
    for item in values:
        d += write_bulk(d, item)
    return d - start
