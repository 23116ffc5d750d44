# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Keys that hold strings, straight from the file into a table of keys; what `strings.py` beside it says in full.

Most keys of most files are of this kind: a time perhaps, the type, the key, a value of up to `STRING_MAX` bytes, as it
is or as an integer. They are taken over without an object each. Whatever is otherwise in any way (compressed, longer,
there already, past its time, not whole yet) is left to the decoder, which finds its reader standing before it.
"""
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from cpython.bytes cimport PyBytes_AS_STRING

from kvserver.engine.fast.reply cimport decimal
from kvserver.engine.keys.keyspace cimport Db
from kvserver.engine.store.entry cimport STRING_MAX, entry_t, hash_bytes, load64, new_entry, value_of
from kvserver.engine.store.slots cimport find_slot, insert, table_t
from persistence.rdb.read.reader cimport Reader

cdef enum:
    TYPE_STRING = 0
    OP_EXPIRETIME_MS = 0xFC

cdef struct text_t:
    const char *s
    size_t n
    char[24] digits


cdef const char *length(const char *p, const char *end, size_t *n) noexcept:
    """Read a plain length of one, two or four bytes; the place behind it, NULL for any other."""
    cdef uint8_t first
    cdef const uint8_t *u = <const uint8_t *>p
    if p >= end:
        return NULL
    first = u[0]
    if first < 0x40:
        n[0] = first
        return p + 1
    if first < 0x80 and end - p >= 2:
        n[0] = (<size_t>(first & 0x3F) << 8) | u[1]
        return p + 2
    if first == 0x80 and end - p >= 5:
        n[0] = (<size_t>u[1] << 24) | (<size_t>u[2] << 16) | (<size_t>u[3] << 8) | u[4]
        return p + 5
    return NULL


cdef const char *text(const char *p, const char *end, text_t *t) noexcept:
    """Read a string as it is, or an integer; the place behind it, NULL for any other, and for what isn't whole."""
    cdef int8_t one
    cdef int16_t two
    cdef int32_t four
    cdef size_t size
    if p < end and <uint8_t>p[0] >= 0xC0:
        if <uint8_t>p[0] > 0xC2:
            return NULL
        size = 1 << (<uint8_t>p[0] & 3)
        if <size_t>(end - p) < 1 + size:
            return NULL
        if size == 1:
            memcpy(&one, p + 1, 1)
            t.n = decimal(t.digits, one)
        elif size == 2:
            memcpy(&two, p + 1, 2)
            t.n = decimal(t.digits, two)
        else:
            memcpy(&four, p + 1, 4)
            t.n = decimal(t.digits, four)
        t.s = t.digits
        return p + 1 + size
    p = length(p, end, &t.n)
    if p == NULL or <size_t>(end - p) < t.n:
        return NULL
    t.s = p
    return p + t.n


cdef class StringFiller:
    """Takes keys over; see the module's docstring."""

    def __init__(self, dbs, now_ms, keep_expired):
        self.dbs = list(dbs)
        self.now_ms = now_ms
        self.keep_expired = keep_expired
        self.count = 0

    cpdef Py_ssize_t fill(self, Reader reader, long db) except -1:
        """Take over keys of database `db` from where the reader stands; how many. The reader stands behind them."""
        cdef const char *start = PyBytes_AS_STRING(reader.buf)
        cdef const char *p = start + reader.pos
        cdef const char *end = start + reader.end
        cdef const char *q
        cdef Py_ssize_t done = 0
        cdef int64_t when
        cdef text_t key, value
        cdef Db target
        if db >= len(self.dbs):
            return 0
        target = self.dbs[db]
        if target.access is not None:
            return 0
        while p < end:
            when = -1
            q = p
            if <uint8_t>q[0] == OP_EXPIRETIME_MS and end - q > 9:
                when = <int64_t>load64(q + 1)
                if when < 0 or (when <= self.now_ms and not self.keep_expired):
                    break
                q += 9
            if <uint8_t>q[0] != TYPE_STRING:
                break
            q = text(q + 1, end, &key)
            if q == NULL:
                break
            q = text(q, end, &value)
            if q == NULL or value.n > STRING_MAX or not add(&target.keys.t, &key, &value, when):
                break
            p = q
            done += 1
        reader.pos = p - start
        self.count += done
        return done

    cpdef Py_ssize_t taken(self):
        """How many keys were taken over since this was asked last."""
        cdef Py_ssize_t count = self.count
        self.count = 0
        return count


cdef bint add(table_t *t, text_t *key, text_t *value, int64_t when) noexcept:
    """Add a key; False when it is there already, or there is no memory."""
    cdef uint64_t h = hash_bytes(key.s, <Py_ssize_t>key.n)
    cdef entry_t *e
    if find_slot(t, h, key.s, key.n) != NULL:
        return False
    e = new_entry(key.s, key.n, value.n, 0, when)
    if e == NULL:
        return False
    memcpy(value_of(e), value.s, value.n)
    if insert(t, h, e) < 0:
        free(e)
        return False
    return True
