# What a form is asked with, what it may answer, and what all forms need.
from libc.stdint cimport int64_t, uint64_t

from kvserver.engine.fast.reply cimport decimal, put_bulk, put_bytes, put_head, reply_t, room
from kvserver.engine.fast.spans cimport span_t
from kvserver.engine.keys.keyspace cimport Db, State
from kvserver.engine.store.entry cimport TIMED, entry_t, expiry_of, hash_bytes
from kvserver.engine.store.key_table cimport KeyTable
from kvserver.engine.store.slots cimport find_slot

cdef enum:
    DECLINED = 0        # nothing has been changed or written
    ANSWERED = 1        # nothing has been changed
    CHANGED = 2         # what was asked for is to be logged as it stands
    RETOLD = 3          # what is to be logged in its place stands in `effect`
    IGNORE = 2          # EXPIRE_IGNORE of the keyspace: what is expired is there all the same
    DIGITS = 19         # of the shortest number that is too long to be read here

cdef struct asked_t:
    reply_t *reply      # with room for a line
    reply_t *effect     # empty
    bint logging        # whether anybody wants the effect
    int proto           # the version of the protocol

ctypedef int (*form_t)(Db db, const span_t *a, size_t n, asked_t *q) except -1

# Whether an entry's time has passed, as far as this node judges that.
cdef inline bint late(State st, entry_t *e) noexcept:
    return e.flags & TIMED and expiry_of(e) <= st.now_ms and st.expire_mode != IGNORE

# The slot of a key, or NULL; and the key's hash.
cdef inline uint64_t *find(KeyTable keys, const span_t *key, uint64_t *h) noexcept:
    h[0] = hash_bytes(key.s, <Py_ssize_t>key.n)
    return find_slot(&keys.t, h[0], key.s, key.n)

cdef inline void put_null(asked_t *q) noexcept:
    if q.proto == 2:
        put_bytes(q.reply, b"$-1\r\n", 5)
    else:
        put_bytes(q.reply, b"_\r\n", 3)

# Read a number of up to 18 digits written as Redis would; False for any other text.
cdef inline bint number(const char *s, size_t n, int64_t *v) noexcept:
    cdef bint minus = n > 0 and s[0] == 45
    cdef int64_t x = 0
    cdef size_t i = 1 if minus else 0
    if n == i or n - i >= DIGITS or (s[i] == 48 and n > 1):
        return False
    while i < n:
        if s[i] < 48 or s[i] > 57:
            return False
        x = x * 10 + (s[i] - 48)
        i += 1
    v[0] = -x if minus else x
    return True

# Read a time from now on that isn't past, in units of `unit_ms`, as Unix milliseconds; False for any other text.
cdef inline bint time_from_now(State st, const span_t *raw, int64_t unit_ms, int64_t *when) noexcept:
    if not number(raw.s, raw.n, when) or when[0] <= 0 or when[0] > 1000000000000000:
        return False
    when[0] = when[0] * unit_ms + st.now_ms
    return True

# Write a number as a bulk string: at most 32 bytes.
cdef inline void put_number(reply_t *r, int64_t v) noexcept:
    cdef char[24] text
    cdef size_t m = decimal(text, v)
    put_bulk(r, text, m)
