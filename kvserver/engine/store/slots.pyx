# cython: boundscheck=False, wraparound=False, cdivision=True
"""A hash table of entries in C memory that never stalls.

Theory of operation.  Linear hashing, as in `kvserver.engine.keys.table`, over *parts* of some hundred entries: when
there are more than `LOAD` a part, one part is split, when there are far fewer, one is merged; so no step touches more
than a part, and a position of a scan stays true. A part is an array of *lines* of eight *slots*, a cache line each. A
slot is one word: 16 bits of the entry's hash, the entry's address, and whether it expires.

Those 16 bits also say which line is an entry's home. So a part grows by an eighth without looking at an entry, and a
line is searched without a second cache miss. A line fills from the front; who finds its home full goes to the next, so
a search ends at the first empty slot. Removing closes the gap: what had to go past the hole moves up.

At most seven of eight slots are in use, so there always is an empty one. Nothing here is a Python object, and nothing
raises: who finds no memory returns -1, and has changed nothing. What an entry's value is, and who frees it, is
`key_table`'s business.
"""
from libc.stdint cimport uint16_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

from kvserver.engine.store.entry cimport TIMED, entry_bytes, entry_t, hash_bytes, key_of, key_size, same_bytes

cdef extern from *:
    """
    #ifdef _WIN32
    #include <malloc.h>
    #define lines_alloc(n) _aligned_malloc(n, 64)
    #define lines_free _aligned_free
    #else
    static inline void *lines_alloc(size_t n) { void *p; return posix_memalign(&p, 64, n) ? NULL : p; }
    #define lines_free free
    #endif
    #if defined(__GNUC__) || defined(__clang__)
    #define prefetch(p) __builtin_prefetch(p)
    #else
    #define prefetch(p) ((void)(p))
    #endif
    """
    void *lines_alloc(size_t n) noexcept
    void lines_free(void *p) noexcept
    void prefetch(const void *p) noexcept


cdef enum:
    AHEAD = 16          # slots between an entry that is asked for and one that is looked at


cdef uint64_t *new_lines(size_t lines) noexcept:
    cdef void *p = lines_alloc(lines * 64)
    if p != NULL:
        memset(p, 0, lines * 64)
    return <uint64_t *>p


cdef int table_init(table_t *t) noexcept:
    """An empty table; -1 when there is no memory."""
    memset(t, 0, sizeof(table_t))
    t.parts = <part_t *>calloc(1, sizeof(part_t))
    if t.parts == NULL:
        return -1
    t.parts[0].slots = new_lines(1)
    if t.parts[0].slots == NULL:
        return -1
    t.parts[0].lines = 1
    t.count = t.capacity = t.high = 1
    return 0


cdef void table_free(table_t *t) noexcept:
    """Free the table, whose entries have been freed by whoever knows what they hold."""
    cdef size_t i
    for i in range(t.count):
        lines_free(t.parts[i].slots)
    free(t.parts)
    memset(t, 0, sizeof(table_t))


cdef inline size_t home_of(uint64_t slot, size_t lines) noexcept:
    return ((slot >> 48) * lines) >> 16


cdef uint64_t *find_slot(table_t *t, uint64_t h, const char *key, size_t n) noexcept:
    """The slot of the entry with this key, or NULL."""
    cdef part_t *p = &t.parts[part_number(t, h)]
    cdef uint64_t tag = h >> 48, slot
    cdef uint64_t *line = p.slots + home_of(h, p.lines) * LINE
    cdef uint64_t *end = p.slots + <size_t>p.lines * LINE
    cdef entry_t *e
    cdef int i
    while True:
        for i in range(LINE):
            slot = line[i]
            if slot == 0:
                return NULL
            if slot >> 48 == tag:
                e = entry_at(slot)
                if key_size(e) == n and same_bytes(key_of(e), key, n):
                    return line + i
        line += LINE
        if line == end:
            line = p.slots


cdef void put_slot(uint64_t *slots, size_t lines, uint64_t slot) noexcept:
    """Put a slot into the first line from its home on that has room."""
    cdef size_t b = home_of(slot, lines)
    cdef uint64_t *line
    while slots[b * LINE + LINE - 1]:
        b = b + 1 if b + 1 < lines else 0
    line = slots + b * LINE
    while line[0]:
        line += 1
    line[0] = slot


cdef int resize(part_t *p, size_t lines) noexcept:
    """Give a part another number of lines; -1 when there is no memory."""
    cdef uint64_t *slots = new_lines(lines)
    cdef size_t i
    if slots == NULL:
        return -1
    for i in range(<size_t>p.lines * LINE):
        if p.slots[i]:
            put_slot(slots, lines, p.slots[i])
    lines_free(p.slots)
    p.slots = slots
    p.lines = <uint16_t>lines
    return 0


cdef inline uint64_t slot_of(uint64_t h, entry_t *e) noexcept:
    return (h >> 48 << 48) | <uint64_t>e | (TIMED_BIT if e.flags & TIMED else 0)


cdef int insert(table_t *t, uint64_t h, entry_t *e) noexcept:
    """Add an entry whose key isn't there; -1 when there is no memory."""
    cdef part_t *p = &t.parts[part_number(t, h)]
    if p.used >= p.lines * 7 and resize(p, p.lines + 1 + p.lines // 8) < 0:
        return -1
    put_slot(p.slots, p.lines, slot_of(h, e))
    p.used += 1
    t.used += 1
    t.bytes += entry_bytes(e)
    if e.flags & TIMED:
        p.timed += 1
        t.timed += 1
    if t.used > t.count * LOAD:
        split(t)
    return 0


cdef entry_t *exchange(table_t *t, uint64_t h, uint64_t *slot, entry_t *e) noexcept:
    """Put another entry of the same key into a slot; the old one is returned, to be freed."""
    cdef part_t *p = &t.parts[part_number(t, h)]
    cdef entry_t *old = entry_at(slot[0])
    cdef int change = (1 if e.flags & TIMED else 0) - (1 if old.flags & TIMED else 0)
    p.timed = <uint16_t>(p.timed + change)
    t.timed += change
    t.bytes += entry_bytes(e)
    t.bytes -= entry_bytes(old)
    slot[0] = slot_of(slot[0], e)
    return old


cdef entry_t *take(table_t *t, uint64_t h, uint64_t *slot) noexcept:
    """Take an entry out; it is returned, to be freed."""
    cdef part_t *p = &t.parts[part_number(t, h)]
    cdef entry_t *e = entry_at(slot[0])
    p.used -= 1
    t.used -= 1
    t.bytes -= entry_bytes(e)
    if e.flags & TIMED:
        p.timed -= 1
        t.timed -= 1
    close_gaps(p, slot)
    if p.lines > 2 and p.used < p.lines * 2:
        resize(p, p.used // 6 + 1)
    if t.count > 1 and t.used * 8 < t.count * LOAD:
        merge(t)
    return e


cdef int close_gap(uint64_t *line, uint64_t *slot) noexcept:
    """Fill a hole with the line's last slot; whether the line was full."""
    cdef int k = LINE - 1, full = line[LINE - 1] != 0
    while line[k] == 0:
        k -= 1
    slot[0] = line[k]
    line[k] = 0
    return full


cdef void close_gaps(part_t *p, uint64_t *slot) noexcept:
    """Empty a slot, and move up what had gone past its line because that was full."""
    cdef size_t lines = p.lines, hole = <size_t>(slot - p.slots) // LINE, j = hole, home
    cdef uint64_t *line
    cdef int k, full = close_gap(p.slots + hole * LINE, slot)
    while full:
        j = j + 1 if j + 1 < lines else 0
        if j == hole:
            return
        line = p.slots + j * LINE
        full = line[LINE - 1] != 0
        for k in range(LINE):
            if line[k] == 0:
                break
            home = home_of(line[k], lines)
            if (j + lines - home) % lines >= (j + lines - hole) % lines:  # it came past the hole
                put_slot(p.slots + hole * LINE, 1, line[k])
                close_gap(line, line + k)
                hole = j
                break


cdef void split(table_t *t) noexcept:
    """Add a part: halve the next one of the level being filled. Without memory it is done another time."""
    cdef size_t i = t.count & t.low, bit = t.low + 1, k, stay = 0, move = 0
    cdef part_t old = t.parts[i], one, two
    cdef part_t *parts
    cdef uint64_t slot
    cdef size_t n = <size_t>old.lines * LINE
    cdef uint64_t *moved
    cdef entry_t *e
    if t.count == t.capacity:
        parts = <part_t *>realloc(t.parts, 2 * t.capacity * sizeof(part_t))
        if parts == NULL:
            return
        t.parts = parts
        t.capacity *= 2
    moved = <uint64_t *>malloc((n + 1) * sizeof(uint64_t))
    if moved == NULL:
        return
    for k in range(n):  # those that move from the front, those that stay from the back
        if k + AHEAD < n:
            prefetch(entry_at(old.slots[k + AHEAD]))
        slot = old.slots[k]
        if slot:
            e = entry_at(slot)
            if hash_bytes(key_of(e), key_size(e)) & bit:
                moved[move] = slot
                move += 1
            else:
                stay += 1
                moved[n - stay] = slot
    if fill(&one, moved + n - stay, stay) == 0:
        if fill(&two, moved, move) == 0:
            lines_free(old.slots)
            t.parts[i] = one
            t.parts[t.count] = two
            t.count += 1
            if t.count == t.high + 1:
                t.low = t.high
                t.high = t.high * 2 + 1
        else:
            lines_free(one.slots)
    free(moved)


cdef int fill(part_t *p, uint64_t *slots, size_t n) noexcept:
    """Make a part of these slots; -1 when there is no memory."""
    cdef size_t k
    p.lines = <uint16_t>(n // 6 + 1)
    p.slots = new_lines(p.lines)
    if p.slots == NULL:
        return -1
    p.used = <uint16_t>n
    p.timed = 0
    for k in range(n):
        put_slot(p.slots, p.lines, slots[k])
        p.timed += slots[k] & TIMED_BIT
    return 0


cdef void merge(table_t *t) noexcept:
    """Drop the last part: give its entries back to the part it was split from. Without memory it stays."""
    cdef part_t *last = &t.parts[t.count - 1]
    cdef size_t low = t.low >> 1 if t.count == t.low + 1 else t.low
    cdef part_t *target = &t.parts[(t.count - 1) & low]
    cdef size_t k, used = <size_t>target.used + last.used
    if used > <size_t>target.lines * 7 and resize(target, used // 6 + 1) < 0:
        return
    for k in range(<size_t>last.lines * LINE):
        if last.slots[k]:
            put_slot(target.slots, target.lines, last.slots[k])
    target.used = <uint16_t>used
    target.timed += last.timed
    lose_part(t)


cdef void lose_part(table_t *t) noexcept:
    """Drop the last part, whose entries are elsewhere or freed; their number is still counted in `used`."""
    if t.count == t.low + 1:
        t.high = t.low
        t.low >>= 1
    t.count -= 1
    lines_free(t.parts[t.count].slots)
