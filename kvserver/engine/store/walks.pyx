# cython: boundscheck=False, wraparound=False, cdivision=True
"""Walking over a table of entries by positions, and drawing from it by chance.

A position is a hash with its bits reversed, so that each part covers an interval and a split halves one; see
`kvserver.engine.keys.table`, which does the same with dictionaries.
"""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint64_t

from kvserver.engine.store.entry cimport entry_t, hash_bytes, key_of, key_size
from kvserver.engine.store.slots cimport LINE, TIMED_BIT, entry_at, part_number, part_t, table_t

cdef enum:
    GUESSES = 64
    SLOTS_MAX = 1024    # slots that a part is taken to have when one is chosen by chance


cdef stretch_t covering(table_t *t, uint64_t position) noexcept:
    """The part that covers a position."""
    cdef stretch_t found
    cdef uint64_t mask = t.low
    cdef int bits = 0
    found.part = part_number(t, reversed48(position))
    if found.part > t.low or found.part + t.low + 1 < t.count:
        mask = t.high
    while mask >> bits:
        bits += 1
    found.first = reversed48(found.part & mask)
    found.behind = found.first + (<uint64_t>1 << (CURSOR_BITS - bits))
    return found


cdef uint64_t scan_part(table_t *t, uint64_t position, Py_ssize_t count, list found) except? 0:
    """Append keys of the part that covers a position, from there on, up to `count` in all or a few more.

    Return the position to go on at.
    """
    cdef stretch_t stretch = covering(t, position)
    cdef part_t *p = &t.parts[stretch.part]
    cdef uint64_t behind, place, width = stretch.behind - stretch.first, step = width
    # Of more than there are the product would be too large.
    cdef uint64_t wanted = min(<uint64_t>(count - len(found)), <uint64_t>p.used)
    cdef list here = []
    cdef Py_ssize_t i, taken
    cdef entry_t *e
    cdef size_t k
    while step > 1 and p.used * step > 2 * wanted * width:
        step >>= 1
    behind = position - position % step + step  # to look no farther than need be
    for k in range(<size_t>p.lines * LINE):
        if p.slots[k]:
            e = entry_at(p.slots[k])
            place = reversed48(hash_bytes(key_of(e), key_size(e)))
            if position <= place < behind:
                here.append((place, <uint64_t>e))
    here.sort()
    taken = min(count - len(found), len(here))
    while 0 < taken < len(here) and here[taken][0] == here[taken - 1][0]:
        taken += 1  # of one position: they stay together
    for i in range(taken):
        e = <entry_t *><uint64_t>here[i][1]
        found.append(PyBytes_FromStringAndSize(key_of(e), <Py_ssize_t>key_size(e)))
    return here[taken][0] if taken < len(here) else behind


cdef entry_t *random_entry(table_t *t, uint64_t x, bint timed) noexcept:
    """An entry by the lot `x`, of all or of those that expire, each with (nearly) the same chance; or NULL."""
    cdef uint64_t y, k, first
    cdef part_t *p
    cdef int i
    if (t.timed if timed else t.used) == 0:
        return NULL
    for i in range(GUESSES if t.count > 1 else 0):
        # A congruential generator (Knuth's MMIX): the upper half chooses the part, the lower half the slot.
        x = x * 6364136223846793005ULL + 1442695040888963407ULL
        y = x ^ (x >> 29)
        p = &t.parts[(y >> 32) * t.count >> 32]
        k = (y & 0xFFFFFFFFULL) * SLOTS_MAX >> 32
        if k < <uint64_t>p.lines * LINE and p.slots[k] and (not timed or p.slots[k] & TIMED_BIT):
            return entry_at(p.slots[k])
    # There are few: take the first from a random place on.
    first = x % t.count
    p = &t.parts[first]
    for k in range(t.count):
        p = &t.parts[(first + k) % t.count]
        if p.timed if timed else p.used:
            break
    first = (x >> 32) % (<uint64_t>p.lines * LINE)
    for k in range(<uint64_t>p.lines * LINE):
        y = p.slots[(first + k) % (<uint64_t>p.lines * LINE)]
        if y and (not timed or y & TIMED_BIT):
            return entry_at(y)
    return NULL
