# What an entry looks like. One allocation: the header; then the key's length if it is LONG; then the time if it is
# TIMED; then the key; then the value: a string's bytes, or the address of a Python object that the entry owns.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport malloc
from libc.string cimport memcpy

cdef extern from *:
    """
    #include <stdint.h>
    #include <stdlib.h>
    #include <string.h>
    #if UINTPTR_MAX != 0xFFFFFFFFFFFFFFFF
    #error a slot has room for an address of 48 bits, of a system of 64
    #endif
    #if PY_VERSION_HEX >= 0x030E0000
    #define hash_bytes(s, n) ((uint64_t)Py_HashBuffer(s, n))
    #else
    #if PY_VERSION_HEX >= 0x030D0000 /* still there, but in no header of this one's */
    PyAPI_FUNC(Py_hash_t) _Py_HashBytes(const void *, Py_ssize_t);
    #endif
    #define hash_bytes(s, n) ((uint64_t)_Py_HashBytes(s, n))
    #endif
    static inline uint64_t load64(const void *p) { uint64_t v; memcpy(&v, p, 8); return v; }
    static inline void store64(void *p, uint64_t v) { memcpy(p, &v, 8); }
    static inline int same_bytes(const char *a, const char *b, size_t n) {
        for (; n >= 8; a += 8, b += 8, n -= 8)
            if (load64(a) != load64(b)) return 0;
        while (n--)
            if (*a++ != *b++) return 0;
        return 1;
    }
    """
    # The hash that Python has for these bytes: keyed by chance (SipHash), and known already where a bytes object is.
    uint64_t hash_bytes(const char *s, Py_ssize_t n) noexcept
    uint64_t load64(const void *p) noexcept
    void store64(void *p, uint64_t v) noexcept
    bint same_bytes(const char *a, const char *b, size_t n) noexcept

cdef enum:
    OBJECT = 1          # the value is a Python object; else a string
    LONG = 8            # the key has more than KEY_MAX bytes; as a number, the bytes of its length
    TIMED = 16          # the key expires; half of it is the bytes of the time
    KEY_MAX = 255
    STRING_MAX = 4096   # a longer string is a Python object, which readers needn't copy

cdef struct entry_t:
    uint32_t clock      # free for whoever notes uses
    uint8_t flags
    uint8_t key_size
    uint16_t value_size

cdef inline size_t key_size(const entry_t *e) noexcept:
    return load64(e + 1) if e.flags & LONG else e.key_size

cdef inline char *time_of(entry_t *e) noexcept:
    return <char *>(e + 1) + (e.flags & LONG)

cdef inline int64_t expiry_of(entry_t *e) noexcept:
    return <int64_t>load64(time_of(e)) if e.flags & TIMED else -1

cdef inline char *key_of(entry_t *e) noexcept:
    return time_of(e) + ((e.flags & TIMED) >> 1)

cdef inline char *value_of(entry_t *e) noexcept:
    return key_of(e) + key_size(e)

cdef inline size_t entry_bytes(const entry_t *e) noexcept:
    return 8 + (e.flags & LONG) + ((e.flags & TIMED) >> 1) + key_size(e) + e.value_size

# Make an entry with room for a value of `m` bytes, which the caller fills in; NULL when there is no memory.
cdef inline entry_t *new_entry(const char *key, size_t n, size_t m, int flags, int64_t when) noexcept:
    cdef entry_t *e
    if n > KEY_MAX:
        flags |= LONG
    if when >= 0:
        flags |= TIMED
    e = <entry_t *>malloc(8 + (flags & LONG) + ((flags & TIMED) >> 1) + n + m)
    if e == NULL:
        return NULL
    e.clock = 0
    e.flags = <uint8_t>flags
    e.key_size = <uint8_t>n
    e.value_size = <uint16_t>m
    if flags & LONG:
        store64(e + 1, n)
    if flags & TIMED:
        store64(time_of(e), <uint64_t>when)
    memcpy(key_of(e), key, n)
    return e
