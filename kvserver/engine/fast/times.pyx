# cython: boundscheck=False, wraparound=False, cdivision=True
"""Forms of commands on a key's time to live; see the folder's docstring for what a form is, and `strings.pyx`."""
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from kvserver.engine.fast.asking cimport (
    ANSWERED, DECLINED, RETOLD, asked_t, find, form_t, late, put_number, time_from_now,
)
from kvserver.engine.fast.reply cimport put_bulk, put_bytes, put_head, room
from kvserver.engine.fast.spans cimport span_t
from kvserver.engine.keys.keyspace cimport Db, State
from kvserver.engine.store.entry cimport (
    TIMED, entry_t, expiry_of, key_of, key_size, new_entry, store64, time_of, value_of,
)
from kvserver.engine.store.slots cimport entry_at, exchange


cdef int expire_in(Db db, const span_t *a, size_t n, int64_t unit_ms, asked_t *q) except -1:
    """Give a key a time from now on, in units of so many milliseconds."""
    cdef uint64_t h
    cdef uint64_t *slot
    cdef int64_t when
    cdef entry_t *e
    cdef entry_t *new
    if n != 3 or not time_from_now(db.state, &a[2], unit_ms, &when):
        return DECLINED
    slot = find(db.keys, &a[1], &h)
    if slot == NULL:
        put_head(q.reply, 58, 0)
        return ANSWERED
    e = entry_at(slot[0])
    if late(db.state, e):
        return DECLINED
    if q.logging:
        if not room(q.effect, a[1].n + 96):
            return DECLINED
        put_bytes(q.effect, b"*3\r\n$9\r\nPEXPIREAT\r\n", 19)
        put_bulk(q.effect, a[1].s, a[1].n)
        put_number(q.effect, when)
    if e.flags & TIMED:
        store64(time_of(e), <uint64_t>when)
    else:
        new = new_entry(key_of(e), key_size(e), e.value_size, e.flags, when)
        if new == NULL:
            raise MemoryError
        new.clock = e.clock
        memcpy(value_of(new), value_of(e), e.value_size)  # an object changes hands
        free(exchange(&db.keys.t, h, slot, new))
    db.state.dirty += 1
    put_head(q.reply, 58, 1)
    return RETOLD


cdef int expire(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """EXPIRE key seconds, without options."""
    return expire_in(db, a, n, 1000, q)


cdef int pexpire(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """PEXPIRE key milliseconds, without options."""
    return expire_in(db, a, n, 1, q)


cdef int time_left(Db db, const span_t *key, int64_t unit_ms, asked_t *q) except -1:
    """Answer how long a key lives, in units of so many milliseconds; -1 for ever, -2 if it isn't there."""
    cdef State st = db.state
    cdef uint64_t h
    cdef uint64_t *slot = find(db.keys, key, &h)
    cdef entry_t *e
    cdef int64_t left
    if slot == NULL:
        st.misses += 1
        put_head(q.reply, 58, -2)
        return ANSWERED
    e = entry_at(slot[0])
    if e.flags & TIMED and expiry_of(e) <= st.now_ms:
        return DECLINED
    st.hits += 1
    left = expiry_of(e) - st.now_ms
    put_head(q.reply, 58, (left + unit_ms // 2) // unit_ms if e.flags & TIMED else -1)
    return ANSWERED


cdef int ttl(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """TTL key."""
    return time_left(db, &a[1], 1000, q)


cdef int pttl(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """PTTL key."""
    return time_left(db, &a[1], 1, q)


cdef form_t time_form(bytes name):
    """The form of a command of this file, by its name in capitals; NULL when it has none."""
    if name == b"EXPIRE":
        return expire
    if name == b"PEXPIRE":
        return pexpire
    if name == b"TTL":
        return ttl
    if name == b"PTTL":
        return pttl
    return NULL
