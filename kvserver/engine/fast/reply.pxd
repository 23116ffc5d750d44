# A buffer that replies are written to, one behind the other.
from libc.stdlib cimport realloc
from libc.string cimport memcpy

cdef struct reply_t:
    char *data
    size_t size
    size_t capacity

# Make room for `n` bytes; 0 when there is no memory.
cdef inline bint room(reply_t *r, size_t n) noexcept:
    cdef size_t capacity
    cdef void *p
    if r.size + n <= r.capacity:
        return True
    capacity = 2 * r.capacity + n + 1024
    p = realloc(r.data, capacity)
    if p == NULL:
        return False
    r.data = <char *>p
    r.capacity = capacity
    return True

# The following write where there is room.

cdef inline void put_bytes(reply_t *r, const char *s, size_t n) noexcept:
    memcpy(r.data + r.size, s, n)
    r.size += n

cdef inline size_t decimal(char *d, long long n) noexcept:
    """Write a number at `d`, up to 20 characters; return how many."""
    cdef char[20] line
    cdef int m = 20
    cdef unsigned long long u = -<unsigned long long>n if n < 0 else <unsigned long long>n
    while True:
        m -= 1
        line[m] = <char>(48 + u % 10)
        u = u // 10
        if u == 0:
            break
    if n < 0:
        m -= 1
        line[m] = 45
    memcpy(d, &line[m], 20 - m)
    return 20 - m

# A line of `kind` and a number: at most 23 bytes.
cdef inline void put_head(reply_t *r, char kind, long long n) noexcept:
    r.data[r.size] = kind
    r.size += 1 + decimal(r.data + r.size + 1, n)
    r.data[r.size] = 13
    r.data[r.size + 1] = 10
    r.size += 2

# A bulk string: at most n + 25 bytes.
cdef inline void put_bulk(reply_t *r, const char *s, size_t n) noexcept:
    put_head(r, 36, <long long>n)
    memcpy(r.data + r.size, s, n)
    r.data[r.size + n] = 13
    r.data[r.size + n + 1] = 10
    r.size += n + 2
