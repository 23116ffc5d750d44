# Walking over a table of entries, and drawing from it; see walks.pyx.
from libc.stdint cimport uint64_t

from kvserver.engine.store.entry cimport entry_t
from kvserver.engine.store.slots cimport table_t

cdef enum:
    CURSOR_BITS = 48

cdef struct stretch_t:
    size_t part
    uint64_t first      # position
    uint64_t behind     # the position behind its last one

# The low 48 bits, the last one first.
cdef inline uint64_t reversed48(uint64_t v) noexcept:
    v = (v >> 1 & 0x5555555555555555ULL) | (v & 0x5555555555555555ULL) << 1
    v = (v >> 2 & 0x3333333333333333ULL) | (v & 0x3333333333333333ULL) << 2
    v = (v >> 4 & 0x0F0F0F0F0F0F0F0FULL) | (v & 0x0F0F0F0F0F0F0F0FULL) << 4
    v = (v >> 8 & 0x00FF00FF00FF00FFULL) | (v & 0x00FF00FF00FF00FFULL) << 8
    v = (v >> 16 & 0x0000FFFF0000FFFFULL) | (v & 0x0000FFFF0000FFFFULL) << 16
    return (v >> 32 | v << 32) >> (64 - CURSOR_BITS)

cdef stretch_t covering(table_t *t, uint64_t position) noexcept
cdef uint64_t scan_part(table_t *t, uint64_t position, Py_ssize_t count, list found) except? 0
cdef entry_t *random_entry(table_t *t, uint64_t x, bint timed) noexcept
