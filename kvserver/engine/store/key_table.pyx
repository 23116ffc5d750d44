# cython: boundscheck=False, wraparound=False, cdivision=True
"""A database's keys in C memory: what the module of dictionaries beside it (`key_table.py`) does, and says in full.

Theory of operation.  A key, its time and a string of up to `STRING_MAX` bytes are one allocation, an *entry*
(`entry.pxd`), found through a table of words (`slots.pyx`). Any other value is a Python object which its entry owns.
The collector of cycles doesn't see those: no value refers to a database.

A method finds the entry of a key, and works on it; a pointer to a slot isn't kept over anything that changes the table,
nor over anything that may run Python code.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint16_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from sys import getsizeof

from kvserver.engine.store.entry cimport (
    OBJECT, STRING_MAX, TIMED, entry_bytes, entry_t, expiry_of, hash_bytes, key_of, key_size, load64, new_entry,
    store64, time_of, value_of,
)
from kvserver.engine.store.slots cimport (
    LINE, TIMED_BIT, entry_at, exchange, find_slot, insert, lose_part, part_t, table_free, table_init, take,
)
from kvserver.engine.store.walks cimport CURSOR_BITS, covering, random_entry, reversed48, scan_part, stretch_t

cdef enum:
    MALLOC_BYTES = 16   # what the allocator rounds to
    SLOT_BYTES = 10     # of a part's array, an entry
    HEAD_BYTES = 16     # an entry's header and the allocator's


cdef void free_entry(entry_t *e):
    """Free an entry that is in no table any more, and let go what it owns."""
    cdef void *owned = <void *>load64(value_of(e)) if e.flags & OBJECT else NULL
    free(e)
    if owned != NULL:
        Py_DECREF(<object>owned)


cdef entry_t *entry_of(const char *key, size_t n, object value, int64_t when) except NULL:
    """Make an entry; it owns the value then."""
    cdef entry_t *e
    cdef Py_ssize_t m
    if type(value) is bytes and PyBytes_GET_SIZE(value) <= STRING_MAX:
        m = PyBytes_GET_SIZE(value)
        e = new_entry(key, n, m, 0, when)
        if e != NULL:
            memcpy(value_of(e), PyBytes_AS_STRING(value), m)
    else:
        e = new_entry(key, n, sizeof(void *), OBJECT, when)
        if e != NULL:
            Py_INCREF(value)
            store64(value_of(e), <uint64_t><void *>value)
    if e == NULL:
        raise MemoryError
    return e


cdef class KeyTable:
    """key -> (value, time)."""

    def __cinit__(self):
        self.when = -1
        if table_init(&self.t) < 0:
            raise MemoryError

    def __dealloc__(self):
        while self.t.count:
            self.free_part()
        table_free(&self.t)

    @property
    def used(self):
        """How many keys there are."""
        return self.t.used

    @property
    def expiring(self):
        """How many of them have a time."""
        return self.t.timed

    def __len__(self):
        return self.t.used

    cdef uint64_t *slot(self, bytes key) noexcept:
        return find_slot(&self.t, <uint64_t>hash(key), PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))

    cpdef bint has(self, bytes key) except -1:
        """Whether the key is there."""
        return self.slot(key) != NULL

    cpdef object get(self, bytes key):
        """The value, or None; `when` says its time then."""
        cdef uint64_t *slot = self.slot(key)
        cdef entry_t *e
        if slot == NULL:
            self.when = -1
            return None
        e = entry_at(slot[0])
        self.when = expiry_of(e)
        return value_object(e)

    cpdef bint set(self, bytes key, object value) except -1:
        """Store a value; a key that is there keeps its time. True when it is new."""
        return self.store(key, value, True)

    cpdef bint put(self, bytes key, object value) except -1:
        """Store a value without a time. True when the key is new."""
        return self.store(key, value, False)

    cdef bint store(self, bytes key, object value, bint keeps) except -1:
        cdef uint64_t h = <uint64_t>hash(key)
        cdef uint64_t *slot = self.slot(key)
        cdef entry_t *e
        if slot != NULL:
            self.change(h, slot, value, expiry_of(entry_at(slot[0])) if keeps else -1)
            return False
        e = entry_of(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), value, -1)
        if insert(&self.t, h, e) < 0:
            free_entry(e)
            raise MemoryError
        return True

    cdef int change(self, uint64_t h, uint64_t *slot, object value, int64_t when) except -1:
        """Give an entry another value and time."""
        cdef entry_t *e = entry_at(slot[0])
        cdef entry_t *new
        cdef bint fits = not e.flags & OBJECT and type(value) is bytes and PyBytes_GET_SIZE(value) == e.value_size
        if fits and expiry_of(e) == when:
            memcpy(value_of(e), PyBytes_AS_STRING(value), e.value_size)
            return 0
        new = entry_of(key_of(e), key_size(e), value, when)
        new.clock = e.clock
        free_entry(exchange(&self.t, h, slot, new))
        return 0

    cpdef object pop(self, bytes key):
        """Remove a key and its time; the value that it had, or None."""
        cdef uint64_t *slot = self.slot(key)
        cdef object value
        if slot == NULL:
            return None
        value = value_object(entry_at(slot[0]))
        free_entry(take(&self.t, <uint64_t>hash(key), slot))
        return value

    cpdef long long expiry(self, bytes key) except? -2:
        """When a key expires, -1 for never, or for a key that isn't there."""
        cdef uint64_t *slot
        if self.t.timed == 0:
            return -1
        slot = self.slot(key)
        return -1 if slot == NULL else expiry_of(entry_at(slot[0]))

    cpdef bint expire_at(self, bytes key, long long when_ms) except -1:
        """Give a key a time; False when it isn't there. What is before 1970 is 1970."""
        cdef uint64_t *slot = self.slot(key)
        cdef entry_t *e
        if slot == NULL:
            return False
        if when_ms < 0:
            when_ms = 0
        e = entry_at(slot[0])
        if e.flags & TIMED:
            store64(time_of(e), <uint64_t>when_ms)
        else:
            self.change(<uint64_t>hash(key), slot, value_object(e), when_ms)
        return True

    cpdef bint persist(self, bytes key) except -1:
        """Take a key's time away; True when it had one."""
        cdef uint64_t *slot
        if self.t.timed == 0:
            return False
        slot = self.slot(key)
        if slot == NULL or not entry_at(slot[0]).flags & TIMED:
            return False
        self.change(<uint64_t>hash(key), slot, value_object(entry_at(slot[0])), -1)
        return True

    def __iter__(self):
        cdef size_t i
        i = 0
        while i < self.t.count:
            yield from self.part(i)
            i += 1

    def items(self):
        """All (key, value); the table must not change meanwhile."""
        cdef size_t i
        i = 0
        while i < self.t.count:
            yield from self.part(i).items()
            i += 1

    def part(self, size_t number):
        """The keys of a part and their values, in a dictionary of its own."""
        cdef part_t *p = &self.t.parts[number]
        cdef dict found = {}
        cdef size_t k
        for k in range(<size_t>p.lines * LINE):
            if p.slots[k]:
                found[key_object(entry_at(p.slots[k]))] = value_object(entry_at(p.slots[k]))
        return found

    def sizes(self):
        """How many keys each part has."""
        cdef size_t i
        return [self.t.parts[i].used for i in range(self.t.count)]

    def random_key(self, rng):
        """A random key, each with (nearly) the same chance; None when there is none."""
        cdef entry_t *e = random_entry(&self.t, rng.getrandbits(63), False)
        return None if e == NULL else key_object(e)

    def random_expiring(self, rng):
        """A random key of those with a time; None when there is none."""
        cdef entry_t *e = random_entry(&self.t, rng.getrandbits(63), True)
        return None if e == NULL else key_object(e)

    def due(self, size_t part, long long now_ms):
        """Of the next part, from number `part` on, with keys that have a time: how many they are, and which are due.

        Returns (number of the part behind, 0 if there was none; how many; which).
        """
        cdef part_t *p
        cdef size_t i, k
        cdef list late = []
        for i in range(part, self.t.count):
            p = &self.t.parts[i]
            if p.timed:
                for k in range(<size_t>p.lines * LINE):
                    if p.slots[k] & TIMED_BIT and expiry_of(entry_at(p.slots[k])) <= now_ms:
                        late.append(key_object(entry_at(p.slots[k])))
                return i + 1, p.timed, late
        return 0, 0, late

    def some_times(self, Py_ssize_t most):
        """The times of up to `most` keys, which come as if by chance."""
        cdef list found = []
        cdef part_t *p
        cdef size_t i, k
        for i in range(self.t.count):
            p = &self.t.parts[i]
            for k in range(<size_t>p.lines * LINE if p.timed else 0):
                if len(found) >= most:
                    return found
                if p.slots[k] & TIMED_BIT:
                    found.append(expiry_of(entry_at(p.slots[k])))
        return found

    def interval(self, uint64_t position):
        """Return (part, first position, position behind the last) of the part covering `position`; see `Table`."""
        cdef stretch_t found = covering(&self.t, position)
        return found.part, found.first, found.behind

    def scan(self, uint64_t cursor, Py_ssize_t count):
        """Return (next cursor, `count` keys or a few less or more); see `Table.scan`."""
        cdef uint64_t position = reversed48(cursor)
        cdef list found = []
        while position >> CURSOR_BITS == 0 and len(found) < count:
            position = scan_part(&self.t, position, count, found)
        return (0 if position >> CURSOR_BITS else reversed48(position)), found

    def cost(self, bytes key):
        """Bytes that a key takes, with what is kept of it; an aggregate's own aren't counted. 0: it isn't there."""
        cdef uint64_t *slot = self.slot(key)
        if slot == NULL:
            return 0
        cdef entry_t *e = entry_at(slot[0])
        cdef size_t own = (entry_bytes(e) + 8 + MALLOC_BYTES - 1) // MALLOC_BYTES * MALLOC_BYTES + SLOT_BYTES
        if e.flags & OBJECT:
            value = value_object(e)
            if isinstance(value, (bytes, bytearray)):
                own += getsizeof(value)
        return own

    def overhead(self):
        """Bytes that the table takes beside keys and values; and for times."""
        return self.t.used * (SLOT_BYTES + HEAD_BYTES), self.t.timed * 8

    def trim(self, bytes key):
        """Parts shrink as keys are removed: there is nothing to give back."""

    cdef list free_part(self):
        """Free the last part and its entries; the objects it had."""
        cdef part_t *p = &self.t.parts[self.t.count - 1]
        cdef list values = []
        cdef entry_t *e
        cdef size_t k
        for k in range(<size_t>p.lines * LINE):
            if p.slots[k]:
                e = entry_at(p.slots[k])
                self.t.bytes -= entry_bytes(e)
                if e.flags & OBJECT:
                    values.append(value_object(e))
                free_entry(e)
        self.t.used -= p.used
        self.t.timed -= p.timed
        lose_part(&self.t)
        return values

    def steal_part(self):
        """Free the last part, for freeing in slices; the aggregates it had, or None when nothing is left."""
        return self.free_part() if self.t.count else None
