# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The keys of a part of a table that hold strings, straight into the file's bytes; see `strings.py` beside it.

A record is what `encoder` makes of such a key: its time, the type, key and value, each in its shortest encoding. Keys
and values that compression might make shorter are left over, as are those that are no strings.
"""
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from cpython.bytes cimport PyBytes_FromStringAndSize

from kvserver.engine.store.entry cimport (
    OBJECT, TIMED, entry_bytes, entry_t, expiry_of, key_of, key_size, store64, value_of,
)
from kvserver.engine.store.key_table cimport KeyTable, key_object, value_object
from kvserver.engine.store.slots cimport LINE, entry_at, part_t
from libc.string cimport memcpy

cdef enum:
    OP_EXPIRETIME_MS = 0xFC
    PLAIN_MAX = 20      # bytes of the longest string that compression leaves alone
    SHORT_MAX = 256     # so that a part is some hundred kilobytes at most
    NUMBER_MAX = 11     # and of the longest one that may be a number of 32 bits
    FRAME = 20          # bytes of a record beside key and value, at most


cdef bint number(const char *s, size_t n, int64_t *v) noexcept:
    """Read the canonical decimal of an integer; False for any other text."""
    cdef bint minus = n > 0 and s[0] == 45
    cdef size_t i = 1 if minus else 0
    v[0] = 0
    if i == n or (s[i] == 48 and n > 1):
        return False
    while i < n:
        if s[i] < 48 or s[i] > 57:
            return False
        v[0] = v[0] * 10 + (s[i] - 48)
        i += 1
    if minus:
        v[0] = -v[0]
    return True


cdef char *put_string(char *d, const char *s, size_t n) noexcept:
    """Write a string of less than 16,384 bytes in its shortest encoding but compression. Return the place behind."""
    cdef int64_t v
    cdef int i, size = 0
    if n <= NUMBER_MAX and number(s, n, &v):
        if -128 <= v <= 127:
            size = 1
        elif -32768 <= v <= 32767:
            size = 2
        elif -2147483648 <= v <= 2147483647:
            size = 4
        if size:
            d[0] = <char>(0xC0 + size // 2)
            for i in range(size):
                d[1 + i] = <char>(v >> (8 * i) & 0xFF)
            return d + 1 + size
    if n < 64:
        d[0] = <char>n
        d += 1
    else:
        d[0] = <char>(0x40 | n >> 8)
        d[1] = <char>(n & 0xFF)
        d += 2
    memcpy(d, s, n)
    return d + n


cdef inline bint plain(entry_t *e, bint compress) noexcept:
    """Whether an entry is a short string that is written as it is."""
    cdef size_t most = PLAIN_MAX if compress else SHORT_MAX
    return not e.flags & OBJECT and key_size(e) <= most and e.value_size <= most


cpdef tuple encode_part(KeyTable keys, size_t number, bint compress):
    """Encode what can be encoded plainly of the part with a number: (the records, how many, the keys left over)."""
    cdef part_t *p = &keys.t.parts[number]
    cdef size_t slots = <size_t>p.lines * LINE, k, size = 0
    cdef Py_ssize_t count = 0
    cdef dict rest = {}
    cdef entry_t *e
    cdef char *d
    cdef char *begin
    cdef bytes records
    for k in range(slots):
        if p.slots[k]:
            e = entry_at(p.slots[k])
            if plain(e, compress):
                size += entry_bytes(e) + FRAME
            else:
                rest[key_object(e)] = value_object(e)
    if size == 0:
        return b"", 0, rest
    d = <char *>malloc(size)
    if d == NULL:
        raise MemoryError
    begin = d
    for k in range(slots):
        if p.slots[k]:
            e = entry_at(p.slots[k])
            if plain(e, compress):
                if e.flags & TIMED:
                    d[0] = <char>OP_EXPIRETIME_MS
                    store64(d + 1, <size_t>expiry_of(e))
                    d += 9
                d[0] = 0
                d = put_string(d + 1, key_of(e), key_size(e))
                d = put_string(d, value_of(e), e.value_size)
                count += 1
    try:
        records = PyBytes_FromStringAndSize(begin, d - begin)
    finally:
        free(begin)
    return records, count, rest
