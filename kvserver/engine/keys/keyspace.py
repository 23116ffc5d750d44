"""The keyspace: databases of keys, their expiry, and the one way by which anything changes them.

Theory of operation.  A `Db` has a table of keys, each with a value and perhaps an expiry time.  Whoever changes a key
goes through three doors, and everything that watches the keyspace stands behind one of them:

- `lookup_write`, `put`, `remove`, `expire_at` and `persist` announce the change *before* it happens to the
  `hooks` (a snapshot that must keep the old state);
- `changed` reports it *afterwards*: it marks the data set dirty, and when anyone observes the database (WATCH,
  keyspace notifications, tracking, a blocked client) tells `State.on_changed`;
- effects for the command log that differ from the request go through `State.also` and `State.instead`.

The first of them also raise `State.touched`, until the effect is in the log: an error of ours in between leaves data
that nobody else has (see `Engine.call`).  What deletes by itself (`drop`) names its effect first and deletes then.

With no observer and no hook each door costs a test of one integer or list.

Expired keys (Redis's expireIfNeeded): whoever may delete them does so on meeting them, and logs a DEL. Three
facts forbid it, each told by who knows it, none a guess at another. The node follows (`State.follow`, told by
whoever decides the role): keys are hidden until the primary's DEL comes. Writes wait (`State.pause`, a
pause): they are hidden until it is over. A log is repeated (`State.repeat`, a primary's stream, or a file): they
are there until the log deletes them. What follows from the three is `State.expire_mode`, which the hot path reads.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from kvserver.engine.keys.table import Table
from kvserver.engine.store.key_table import KeyTable
from kvserver.engine.values.limits import Limits
from kvserver.engine.values.types import size_of

EXPIRE_DELETE = 0
"""An expired key that is met is deleted."""
EXPIRE_HIDE = 1
"""An expired key is hidden, and stays."""
EXPIRE_IGNORE = 2
"""An expired key is there until it is deleted."""

# Classes of keyspace events (notify-keyspace-events).
EV_GENERIC = 1 << 2
EV_STRING = 1 << 3
EV_LIST = 1 << 4
EV_SET = 1 << 5
EV_HASH = 1 << 6
EV_ZSET = 1 << 7
EV_EXPIRED = 1 << 8
EV_EVICTED = 1 << 9
EV_STREAM = 1 << 10
EV_MISS = 1 << 11
EV_NEW = 1 << 14

# Bits of Db.observers: who wants to hear of changes.
OBSERVE_WATCH = 1
OBSERVE_NOTIFY = 2
OBSERVE_BLOCKED = 4
OBSERVE_TRACKING = 8

BIG = 4096
"""A value of more elements is freed in slices, not at once."""

# C's copies of the constants, declared in the .pxd: a global of Python would be an object to look up and compare.
_delete = EXPIRE_DELETE
_hide = EXPIRE_HIDE
_ignore_expiry = EXPIRE_IGNORE
_miss = EV_MISS
_new = EV_NEW


class State:
    """What all databases and handlers of one node share; plain numbers, so that counting costs nothing."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.dirty = 0  # changes since the last save
        self.touched = False  # the command that runs may have changed something that nobody has logged yet
        self.limits = Limits()
        self.hits = 0
        self.misses = 0
        self.expired_keys = 0
        self.expired_fields = 0
        self.evicted_keys = 0
        self.expire_mode = EXPIRE_DELETE  # follows from the next three
        self.follows = False  # the data are another node's, who decides what is deleted
        self.paused = False  # writes wait: nothing changes by itself
        self.repeating = False  # what runs is a log that says itself what is deleted
        self.own_volatile: dict[tuple[int, bytes], None] | None = None  # see `Db.expire_at`
        self.logging = False  # whether effects are wanted at all (some sink is attached)
        self.effects: list[tuple[int, list[bytes]]] = []  # logged before the request itself
        self.replacements: list[tuple[int, list[bytes]]] | None = None  # logged instead of it
        self.notify_flags = 0
        self.trash: list[Any] = []  # big values waiting to be freed in slices
        self.freed_in_slices = 0
        self.on_changed: Callable[[Db, bytes, int, bytes], None] = _ignore
        self.on_event: Callable[[Db, bytes, int, bytes], None] = _ignore
        self.rng = Random(0)  # an engine puts its own in place
        self.wall_us: Callable[[], int] = lambda: self.now_ms * 1000  # Unix microseconds; the shell has a finer one

    def follow(self, follows: bool) -> None:
        """Whoever decides the node's role tells it: whether the data are another node's copy."""
        self.follows = follows
        self.settle_expiry()

    def pause(self, on: bool) -> None:
        """Writes wait from here on, or no more (CLIENT PAUSE and its kin)."""
        self.paused = on
        self.settle_expiry()

    def repeat(self, repeating: bool) -> None:
        """What runs from here on is a log, or no more."""
        self.repeating = repeating
        self.settle_expiry()

    def settle_expiry(self) -> None:
        """Find what becomes of an expired key that is met."""
        if self.repeating:
            self.expire_mode = EXPIRE_IGNORE
        elif self.follows or self.paused:
            self.expire_mode = EXPIRE_HIDE
        else:
            self.expire_mode = EXPIRE_DELETE

    def also(self, db: int, args: list[bytes]) -> None:
        """Log an effect besides (before) the request that is running."""
        if self.logging:
            self.effects.append((db, args))

    def instead(self, db: int, args: list[bytes]) -> None:
        """Log this effect in place of the request that is running; several calls log several effects."""
        if self.logging:
            if self.replacements is None:
                self.replacements = []
            self.replacements.append((db, args))

    def silence(self) -> None:
        """Log nothing for the request that is running, whatever it changed."""
        if self.logging and self.replacements is None:
            self.replacements = []


def _ignore(db: Db, key: bytes, event_class: int, event: bytes) -> None:
    """Nobody listens."""


class Db:
    """One database; see the module's theory of operation."""

    def __init__(self, index: int, state: State) -> None:
        self.index = index
        self.state = state
        self.keys = KeyTable()
        self.field_expires = Table()  # key -> when the first field of its hash may expire; see `hash_expiry`
        self.observers = 0
        self.access: Any = None  # an `Access` while eviction goes by the use of keys
        self.hooks: list[Callable[[Db, bytes], None]] = []
        self.watchers: dict[bytes, dict[Any, bool]] = {}  # WATCH: key -> sessions, and whether it was a stale key
        self.blocked: dict[bytes, dict[Any, Any]] = {}  # key -> waiting sessions, first come first

    def lookup(self, key: bytes) -> Any:
        """Return the value for reading, or None; counts a hit or a miss."""
        keys = self.keys
        value = keys.get(key)
        if value is not None and (keys.when < 0 or not self.late(key, keys.when)):
            self.state.hits += 1
            if self.access is not None:
                self.access.touch(key)
            return value
        self.state.misses += 1
        if self.state.notify_flags & _miss:
            self.state.on_event(self, key, EV_MISS, b"keymiss")
        return None

    def glance(self, key: bytes) -> Any:
        """Return the value for being asked about, or None; counts a hit or a miss, but isn't a use of the key."""
        value = self.peek(key)
        if value is not None:
            self.state.hits += 1
            return value
        self.state.misses += 1
        if self.state.notify_flags & _miss:
            self.state.on_event(self, key, EV_MISS, b"keymiss")
        return None

    def peek(self, key: bytes) -> Any:
        """Return the value, or None, without counting."""
        keys = self.keys
        value = keys.get(key)
        if value is not None and (keys.when < 0 or not self.late(key, keys.when)):
            return value
        return None

    def lookup_write(self, key: bytes) -> Any:
        """Return the value in order to change it in place, or None."""
        keys = self.keys
        value = keys.get(key)
        if value is None:
            return None
        if keys.when >= 0 and self.late(key, keys.when):
            if self.state.own_volatile is not None and self.state.expire_mode == _hide:
                self.expire(key)  # it would be hidden for ever, whatever is written to it
            return None
        self.state.touched = True
        if self.hooks:
            self.before_write(key)
        if self.access is not None:
            self.access.touch(key)
        return value

    def before_write(self, key: bytes) -> None:
        """Announce that `key` is about to change."""
        for hook in self.hooks:
            hook(self, key)

    def put(self, key: bytes, value: Any, keep_ttl: bool = False) -> None:
        """Store a value, new or in place of another; its time to live goes unless `keep_ttl`."""
        self.state.touched = True
        if self.hooks:
            self.before_write(key)
        if type(value) is not bytes or self.state.limits.giants:
            self.let_go(key, value)
        keys = self.keys
        if keep_ttl:
            new = keys.set(key, value)
        else:
            at = keys.expiry(key)
            if at >= 0:
                self.outlive(key, at)
            new = keys.put(key, value)
        if self.access is not None:
            self.access.touch(key)
        if new and self.observers:
            self.appeared(key)

    def outlive(self, key: bytes, at: int) -> None:
        """A key is about to be overwritten and to lose its time to live, `at`; if that has passed, it expires first."""
        state = self.state
        if at > state.now_ms or state.expire_mode == _ignore_expiry:
            return
        if state.expire_mode == _delete or state.own_volatile is not None:
            self.expire(key)

    def let_go(self, key: bytes, value: Any) -> None:
        """Keep a big aggregate that a string is about to replace, to be freed in slices."""
        if type(value) is bytes:
            old = self.keys.get(key)
            if old is not None and type(old) is not bytes and size_of(old) > BIG:
                self.state.trash.append(old)
        elif type(value) is not bytearray and size_of(value) > BIG:
            self.state.limits.giants = True

    def appeared(self, key: bytes) -> None:
        """Report that a key is new."""
        if self.state.notify_flags & _new:
            self.state.on_event(self, key, EV_NEW, b"new")

    def remove(self, key: bytes) -> bool:
        """Delete a key; True when it was there.  Its time isn't asked: whoever must know has looked it up before."""
        self.state.touched = True
        if self.hooks:
            self.before_write(key)
        value = self.keys.pop(key)
        if self.access is not None:
            self.access.forget(key)
        if value is None:
            return False
        if type(value) is not bytes and size_of(value) > BIG:
            self.state.trash.append(value)
        return True

    def expired(self, key: bytes) -> bool:
        """Whether the key's time has passed; on a primary it is deleted then."""
        at = self.keys.expiry(key)
        return at >= 0 and self.late(key, at)

    def late(self, key: bytes, at: int) -> bool:
        """Whether the time of a key that is there, `at`, has passed; on a primary the key is deleted then."""
        state = self.state
        if at > state.now_ms or state.expire_mode == _ignore_expiry:
            return False
        if state.expire_mode == _delete:
            self.expire(key)
        return True

    def expire(self, key: bytes) -> None:
        """Delete a key whose time has passed, and log its DEL."""
        self.state.expired_keys += 1
        self.drop(key, EV_EXPIRED, b"expired")

    def evict(self, key: bytes) -> None:
        """Delete a key to make room, and log its DEL."""
        self.state.evicted_keys += 1
        self.drop(key, EV_EVICTED, b"evicted")
        self.keys.trim(key)
        if self.access is not None:
            self.access.table.trim(key)

    def drop(self, key: bytes, event_class: int, event: bytes) -> None:
        """Delete a key that no request deletes, log its DEL, and tell who observes."""
        if self.hooks:
            self.before_write(key)
        self.state.also(self.index, [b"DEL", key])
        value = self.keys.pop(key)
        if self.access is not None:
            self.access.forget(key)
        if value is not None and type(value) is not bytes and size_of(value) > BIG:
            self.state.trash.append(value)
        if self.observers:
            self.state.on_changed(self, key, event_class, event)

    def expire_at(self, key: bytes, when_ms: int) -> None:
        """Set the expiry time (Unix milliseconds) of a key that is there.

        On a replica open for writes, what its own clients let expire is noted: no DEL will come for that.
        """
        self.state.touched = True
        if self.hooks:
            self.before_write(key)
        self.keys.expire_at(key, when_ms)
        state = self.state
        if state.own_volatile is not None and state.expire_mode == _hide:
            state.own_volatile[(self.index, key)] = None

    def persist(self, key: bytes) -> bool:
        """Remove a key's expiry time; True when it had one."""
        if self.keys.expiry(key) < 0:
            return False
        self.state.touched = True
        if self.hooks:
            self.before_write(key)
        return self.keys.persist(key)

    def ttl_at(self, key: bytes) -> int:
        """Return the expiry time in Unix milliseconds, or -1 for none."""
        return self.keys.expiry(key)

    def changed(self, key: bytes, event_class: int, event: bytes) -> None:
        """Report a change that has been made: dirty, watchers, notifications, tracking, blocked clients."""
        self.state.dirty += 1
        if self.observers:
            self.state.on_changed(self, key, event_class, event)

    def notify(self, key: bytes, event_class: int, event: bytes) -> None:
        """Send one more keyspace event about a change already reported."""
        if self.state.notify_flags & event_class:
            self.state.on_event(self, key, event_class, event)

    def random_key(self) -> bytes | None:
        """Return a random key that hasn't expired, or None."""
        for _ in range(100):
            key = self.keys.random_key(self.state.rng)
            if key is None or not self.keys.expiring or not self.expired(key):
                return key
        return key

    def detach(self) -> KeyTable:
        """Empty the database; return its old keys for whoever frees or still reads them."""
        old = self.keys
        self.state.touched = True
        self.keys = KeyTable()
        if self.field_expires.used:
            self.state.trash.append(self.field_expires)
            self.field_expires = Table()
        if self.access is not None:
            self.state.trash.append(self.access.clear())
        return old
