import cython
from kvserver.engine.keys.table cimport Table
from kvserver.engine.store.key_table cimport KeyTable
from kvserver.engine.values.limits cimport Limits

cdef int _delete, _hide, _ignore_expiry
cdef long _miss, _new

@cython.final
cdef class State:
    cdef public long long now_ms
    cdef public long long dirty
    cdef public Limits limits
    cdef public long long hits, misses, expired_keys, expired_fields, evicted_keys
    cdef public int expire_mode
    cdef public bint follows, paused, repeating
    cdef public dict own_volatile
    cdef public bint logging, touched
    cdef public list effects
    cdef public list replacements
    cdef public long notify_flags
    cdef public list trash
    cdef public long long freed_in_slices
    cdef public object on_changed, on_event, rng, wall_us
    cpdef follow(self, bint follows)
    cpdef pause(self, bint on)
    cpdef repeat(self, bint repeating)
    cpdef settle_expiry(self)
    cpdef also(self, int db, list args)
    cpdef instead(self, int db, list args)
    cpdef silence(self)

@cython.final
cdef class Db:
    cdef public int index
    cdef public State state
    cdef public KeyTable keys
    cdef public Table field_expires
    cdef public int observers
    cdef public object access
    cdef public list hooks
    cdef public dict watchers, blocked
    @cython.locals(keys=KeyTable)
    cpdef object lookup(self, bytes key)
    cpdef object glance(self, bytes key)
    @cython.locals(keys=KeyTable)
    cpdef object peek(self, bytes key)
    @cython.locals(keys=KeyTable)
    cpdef object lookup_write(self, bytes key)
    cpdef before_write(self, bytes key)
    @cython.locals(keys=KeyTable, new=bint, at=cython.longlong)
    cpdef put(self, bytes key, object value, bint keep_ttl=*)
    @cython.locals(state=State)
    cpdef outlive(self, bytes key, long long at)
    cpdef let_go(self, bytes key, object value)
    cpdef appeared(self, bytes key)
    cpdef bint remove(self, bytes key) except -1
    @cython.locals(at=cython.longlong)
    cpdef bint expired(self, bytes key) except -1
    @cython.locals(state=State)
    cpdef bint late(self, bytes key, long long at) except -1
    cpdef expire(self, bytes key)
    cpdef evict(self, bytes key)
    cpdef drop(self, bytes key, long event_class, bytes event)
    @cython.locals(state=State)
    cpdef expire_at(self, bytes key, long long when_ms)
    cpdef bint persist(self, bytes key) except -1
    cpdef changed(self, bytes key, long event_class, bytes event)
