# cython: boundscheck=False, wraparound=False, cdivision=True
"""Forms of string commands, and of those that ask or delete keys; see the folder's docstring for what a form is.

A form is given the database, the arguments (`a[0]` is the name; the number of arguments is right), and how it is to
answer. It may raise for want of memory alone, and then only before it has changed anything,
but for MSET and DEL of several keys.

Whoever calls has seen to it that nobody watches the database (no observer, no snapshot that must be told, no eviction
by use), so a change is a change of the table and of `State.dirty`.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from kvserver.engine.fast.asking cimport (
    ANSWERED, CHANGED, DECLINED, RETOLD, asked_t, find, form_t, late, number, put_null, put_number, time_from_now,
)
from kvserver.engine.fast.reply cimport decimal, put_bulk, put_bytes, put_head, reply_t, room
from kvserver.engine.fast.spans cimport span_t
from kvserver.engine.keys.keyspace cimport Db, State
from kvserver.engine.store.entry cimport OBJECT, STRING_MAX, entry_t, expiry_of, load64, new_entry, value_of
from kvserver.engine.store.slots cimport entry_at, exchange, insert, table_t, take


cdef inline bint put_string(reply_t *r, entry_t *e) noexcept:
    """Write the string that an entry holds; False when it holds something else, or there is no memory."""
    cdef object value
    cdef Py_ssize_t n
    if not e.flags & OBJECT:
        if not room(r, e.value_size + 32):
            return False
        put_bulk(r, value_of(e), e.value_size)
        return True
    value = <object><void *>load64(value_of(e))
    if type(value) is not bytes:
        return False
    n = PyBytes_GET_SIZE(value)
    if not room(r, n + 32):
        return False
    put_bulk(r, PyBytes_AS_STRING(value), n)
    return True


cdef int get(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """GET key."""
    cdef State st = db.state
    cdef uint64_t h
    cdef uint64_t *slot = find(db.keys, &a[1], &h)
    cdef entry_t *e
    if slot == NULL:
        st.misses += 1
        put_null(q)
        return ANSWERED
    e = entry_at(slot[0])
    if late(st, e) or not put_string(q.reply, e):
        return DECLINED
    st.hits += 1
    return ANSWERED


cdef int mget(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """MGET key [key …]: all or none, so what would be declined is looked for as it is written."""
    cdef State st = db.state
    cdef size_t begin = q.reply.size, i, hits = 0
    cdef uint64_t h
    cdef uint64_t *slot
    put_head(q.reply, 42, <long long>n - 1)
    for i in range(1, n):
        slot = find(db.keys, &a[i], &h)
        if slot == NULL:
            if not room(q.reply, 32):
                break
            put_null(q)
            continue
        if late(st, entry_at(slot[0])) or not put_string(q.reply, entry_at(slot[0])):
            break
        hits += 1
    else:
        st.hits += hits
        st.misses += n - 1 - hits
        return ANSWERED
    q.reply.size = begin
    return DECLINED


cdef int exists(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """EXISTS key [key …]."""
    cdef State st = db.state
    cdef size_t i, hits = 0
    cdef uint64_t h
    cdef uint64_t *slot
    for i in range(1, n):
        slot = find(db.keys, &a[i], &h)
        if slot != NULL:
            if late(st, entry_at(slot[0])):
                return DECLINED
            hits += 1
    st.hits += hits
    st.misses += n - 1 - hits
    put_head(q.reply, 58, hits)
    return ANSWERED


cdef int strlen(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """STRLEN key."""
    cdef State st = db.state
    cdef uint64_t h
    cdef uint64_t *slot = find(db.keys, &a[1], &h)
    cdef entry_t *e
    if slot == NULL:
        st.misses += 1
        put_head(q.reply, 58, 0)
        return ANSWERED
    e = entry_at(slot[0])
    if e.flags & OBJECT or late(st, e):
        return DECLINED
    st.hits += 1
    put_head(q.reply, 58, e.value_size)
    return ANSWERED


cdef inline bint replaceable(State st, uint64_t *slot, const span_t *value) noexcept:
    """Whether a key may just get this string: what is there is a string and alive, and the new one isn't long."""
    return value.n <= STRING_MAX and (
        slot == NULL or not (entry_at(slot[0]).flags & OBJECT or late(st, entry_at(slot[0])))
    )


cdef int store(
    table_t *t, uint64_t h, uint64_t *slot, const span_t *key, const char *s, size_t n, int64_t when
) except -1:
    """Give a key a string and a time."""
    cdef entry_t *e
    if slot != NULL:
        e = entry_at(slot[0])
        if e.value_size == n and expiry_of(e) == when:
            memcpy(value_of(e), s, n)
            return 0
    e = new_entry(key.s, key.n, n, 0, when)
    if e == NULL:
        raise MemoryError
    memcpy(value_of(e), s, n)
    if slot != NULL:
        free(exchange(t, h, slot, e))
    elif insert(t, h, e) < 0:
        free(e)
        raise MemoryError
    return 0


cdef int set_(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """SET key value [EX|PX time]."""
    cdef uint64_t h
    cdef uint64_t *slot
    if n == 5 and a[3].n == 2 and a[3].s[1] & 0xDF == 88:  # X
        if a[3].s[0] & 0xDF == 69:  # E
            return set_until(db, &a[1], &a[2], &a[4], 1000, q)
        if a[3].s[0] & 0xDF == 80:  # P
            return set_until(db, &a[1], &a[2], &a[4], 1, q)
    if n != 3:
        return DECLINED
    slot = find(db.keys, &a[1], &h)
    if not replaceable(db.state, slot, &a[2]):
        return DECLINED
    store(&db.keys.t, h, slot, &a[1], a[2].s, a[2].n, -1)
    db.state.dirty += 1
    put_bytes(q.reply, b"+OK\r\n", 5)
    return CHANGED


cdef int set_until(
    Db db, const span_t *key, const span_t *value, const span_t *time, int64_t unit, asked_t *q
) except -1:
    """Give a key a string and a time from now on, in units of so many milliseconds."""
    cdef uint64_t h
    cdef uint64_t *slot
    cdef int64_t when
    if not time_from_now(db.state, time, unit, &when):
        return DECLINED
    slot = find(db.keys, key, &h)
    if not replaceable(db.state, slot, value):
        return DECLINED
    if q.logging:
        if not room(q.effect, key.n + value.n + 128):
            return DECLINED
        put_bytes(q.effect, b"*5\r\n$3\r\nSET\r\n", 13)
        put_bulk(q.effect, key.s, key.n)
        put_bulk(q.effect, value.s, value.n)
        put_bytes(q.effect, b"$4\r\nPXAT\r\n", 10)
        put_number(q.effect, when)
    store(&db.keys.t, h, slot, key, value.s, value.n, when)
    db.state.dirty += 1
    put_bytes(q.reply, b"+OK\r\n", 5)
    return RETOLD


cdef int setex(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """SETEX key seconds value."""
    return set_until(db, &a[1], &a[3], &a[2], 1000, q)


cdef int psetex(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """PSETEX key milliseconds value."""
    return set_until(db, &a[1], &a[3], &a[2], 1, q)


cdef int setnx(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """SETNX key value."""
    cdef uint64_t h
    cdef uint64_t *slot = find(db.keys, &a[1], &h)
    if slot != NULL:
        if late(db.state, entry_at(slot[0])):
            return DECLINED
        put_head(q.reply, 58, 0)
        return ANSWERED
    if a[2].n > STRING_MAX:
        return DECLINED
    store(&db.keys.t, h, slot, &a[1], a[2].s, a[2].n, -1)
    db.state.dirty += 1
    put_head(q.reply, 58, 1)
    return CHANGED


cdef int mset(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """MSET key value [key value …]."""
    cdef size_t i
    cdef uint64_t h
    cdef uint64_t *slot
    if n % 2 == 0:
        return DECLINED
    for i in range(1, n, 2):
        if not replaceable(db.state, find(db.keys, &a[i], &h), &a[i + 1]):
            return DECLINED
    for i in range(1, n, 2):
        slot = find(db.keys, &a[i], &h)
        db.state.touched = True
        store(&db.keys.t, h, slot, &a[i], a[i + 1].s, a[i + 1].n, -1)
        db.state.dirty += 1
    db.state.touched = False
    put_bytes(q.reply, b"+OK\r\n", 5)
    return CHANGED


cdef int add(Db db, const span_t *key, int64_t step, asked_t *q) except -1:
    """Add to the number that a key holds; its time stays."""
    cdef uint64_t h
    cdef uint64_t *slot = find(db.keys, key, &h)
    cdef int64_t value = 0, when = -1
    cdef char[24] text
    cdef entry_t *e
    cdef size_t m
    if slot != NULL:
        e = entry_at(slot[0])
        if e.flags & OBJECT or late(db.state, e) or not number(value_of(e), e.value_size, &value):
            return DECLINED
        when = expiry_of(e)
    value += step  # both have at most 18 digits
    m = decimal(text, value)
    store(&db.keys.t, h, slot, key, text, m, when)
    db.state.dirty += 1
    put_head(q.reply, 58, value)
    return CHANGED


cdef int incr(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """INCR key."""
    return add(db, &a[1], 1, q)


cdef int decr(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """DECR key."""
    return add(db, &a[1], -1, q)


cdef int incrby(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """INCRBY key increment."""
    cdef int64_t step
    return add(db, &a[1], step, q) if number(a[2].s, a[2].n, &step) else DECLINED


cdef int decrby(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """DECRBY key decrement."""
    cdef int64_t step
    return add(db, &a[1], -step, q) if number(a[2].s, a[2].n, &step) else DECLINED


cdef int del_(Db db, const span_t *a, size_t n, asked_t *q) except -1:
    """DEL key [key …] of strings."""
    cdef size_t i, gone = 0
    cdef uint64_t h
    cdef uint64_t *slot
    for i in range(1, n):
        slot = find(db.keys, &a[i], &h)
        if slot != NULL and (entry_at(slot[0]).flags & OBJECT or late(db.state, entry_at(slot[0]))):
            return DECLINED
    for i in range(1, n):
        slot = find(db.keys, &a[i], &h)
        if slot != NULL:
            free(take(&db.keys.t, h, slot))
            gone += 1
    db.state.dirty += gone
    put_head(q.reply, 58, gone)
    return CHANGED if gone else ANSWERED


cdef form_t string_form(bytes name):
    """The form of a command of this file, by its name in capitals; NULL when it has none."""
    if name == b"GET":
        return get
    if name == b"SET":
        return set_
    if name == b"INCR":
        return incr
    if name == b"DECR":
        return decr
    if name == b"INCRBY":
        return incrby
    if name == b"DECRBY":
        return decrby
    if name == b"MGET":
        return mget
    if name == b"MSET":
        return mset
    if name == b"SETNX":
        return setnx
    if name == b"DEL" or name == b"UNLINK":
        return del_
    if name == b"EXISTS":
        return exists
    if name == b"SETEX":
        return setex
    if name == b"PSETEX":
        return psetex
    if name == b"STRLEN":
        return strlen
    return NULL
