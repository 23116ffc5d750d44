# A hash table of entries, in C; see slots.pyx for the theory of operation.
from libc.stdint cimport uint16_t, uint64_t

from kvserver.engine.store.entry cimport TIMED, entry_t

cdef enum:
    LOAD = 400          # entries of a part, on average, before another part is added
    TIMED_BIT = 1       # of a slot: its entry is TIMED
    LINE = 8            # slots of a line

cdef struct part_t:
    uint64_t *slots
    uint16_t lines
    uint16_t used
    uint16_t timed      # how many of its entries expire

cdef struct table_t:
    part_t *parts
    size_t count        # of parts
    size_t capacity
    size_t low, high    # masks of the level that is complete, and of the one being filled
    size_t used, timed
    size_t bytes        # of all entries

cdef inline entry_t *entry_at(uint64_t slot) noexcept:
    return <entry_t *>(slot & 0x0000FFFFFFFFFFF0ULL)

cdef inline size_t part_number(const table_t *t, uint64_t h) noexcept:
    cdef size_t i = h & t.high
    return i if i < t.count else i & t.low

cdef int table_init(table_t *t) noexcept
cdef void table_free(table_t *t) noexcept
cdef uint64_t *find_slot(table_t *t, uint64_t h, const char *key, size_t n) noexcept
cdef int insert(table_t *t, uint64_t h, entry_t *e) noexcept
cdef entry_t *take(table_t *t, uint64_t h, uint64_t *slot) noexcept
cdef entry_t *exchange(table_t *t, uint64_t h, uint64_t *slot, entry_t *e) noexcept
cdef void lose_part(table_t *t) noexcept
