"""EXPIRE and its kin, and the cycle that deletes expired keys nobody asks for."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from kvserver.engine.keys.hash_expiry import expire_part
from kvserver.engine.keys.keyspace import EV_GENERIC, EXPIRE_DELETE, Db
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import ATT_INTERNAL, Session
from kvserver.errors import INVALID_EXPIRE, CommandError, shown
from kvserver.wire.numbers import INT64_MAX, parse_int
from kvserver.wire.resp import ONE, ZERO


def _expire(name: str, unit_ms: int, absolute: bool) -> Callable[[Session, list[bytes]], bytes]:
    """Make the handler of EXPIRE, PEXPIRE, EXPIREAT or PEXPIREAT."""

    def handler(c: Session, a: list[bytes]) -> bytes:
        """EXPIRE and its kin: key time [NX|XX|GT|LT]."""
        db = c.db
        condition = _conditions(a[3:])
        value = parse_int(a[2])
        if unit_ms > 1 and abs(value) > INT64_MAX // unit_ms:
            raise CommandError(INVALID_EXPIRE % name)
        when = value * unit_ms
        if not absolute:
            if when > INT64_MAX - db.state.now_ms:
                raise CommandError(INVALID_EXPIRE % name)
            when += db.state.now_ms
        if db.lookup_write(a[1]) is None or not condition(db.ttl_at(a[1]), when):
            return ZERO
        _apply(c, db, a[1], max(when, 0))
        return ONE

    return handler


def _conditions(options: list[bytes]) -> Callable[[int, int], bool]:
    """Return the test (old time or -1, new time) -> whether to set it."""
    flags = set()
    for raw in options:
        flag = raw.upper()
        if flag not in (b"NX", b"XX", b"GT", b"LT"):
            raise CommandError(b"ERR Unsupported option %b" % shown(raw))
        flags.add(flag)
    if b"NX" in flags and len(flags) > 1:
        raise CommandError("ERR NX and XX, GT or LT options at the same time are not compatible")
    if {b"GT", b"LT"} <= flags:
        raise CommandError("ERR GT and LT options at the same time are not compatible")

    def test(old: int, new: int) -> bool:
        if b"NX" in flags and old >= 0:
            return False
        if b"XX" in flags and old < 0:
            return False
        if b"GT" in flags and (old < 0 or new <= old):
            return False
        return not (b"LT" in flags and old >= 0 and new >= old)

    return test


def _apply(c: Session, db: Db, key: bytes, when: int) -> None:
    """Set the time; one in the past deletes the key at once, on a primary."""
    if when <= db.state.now_ms and db.state.expire_mode == EXPIRE_DELETE and not c.attention & ATT_INTERNAL:
        db.remove(key)
        db.changed(key, EV_GENERIC, b"del")
        db.state.instead(db.index, [b"DEL", key])
        return
    db.expire_at(key, when)
    db.changed(key, EV_GENERIC, b"expire")
    db.state.instead(db.index, [b"PEXPIREAT", key, b"%d" % when])


class ExpiryCycle:
    """Walks the tables of expiry times, a part at a time, round and round, deleting what has expired.

    In each database the keys' times come first, then those of fields of hashes.
    """

    def __init__(self) -> None:
        self.db = 0
        self.part = 0
        self.field_part = 0
        self.reset_stats()

    def reset_stats(self) -> None:
        """Begin to count anew."""
        self.stale = 0.0  # share of the keys with a time that were found expired, a running average
        self.cut_short = 0  # how often the time was up before the round was complete
        self.spent_s = 0.0  # counted by who calls `run`

    def run(self, engine: Engine, more: Callable[[], bool]) -> int:
        """Delete expired keys until a round is complete or `more()` says that the time is up; count them."""
        state = engine.state
        if state.expire_mode != EXPIRE_DELETE:
            return expire_own(engine, state.own_volatile) if state.own_volatile else 0
        self.seen = self.late = 0
        gone, complete = self._round(engine, more)
        self.cut_short += not complete
        # Redis's weights: a run counts for a twentieth.
        self.stale += ((self.late / self.seen if self.seen else 0.0) - self.stale) * 0.05
        engine.log_outside()
        return gone

    def _round(self, engine: Engine, more: Callable[[], bool]) -> tuple[int, bool]:
        """Go once round all databases, from where the last run ended; how many went, and whether that was all."""
        gone = 0
        now = engine.state.now_ms
        for _ in range(len(engine.dbs)):
            db = engine.dbs[self.db]
            while True:
                behind, seen, late = db.keys.due(self.part, now)
                if not behind:
                    break
                self.seen += seen
                self.late += len(late)
                for key in late:
                    db.expire(key)
                    gone += 1
                    if not gone % 16 and not more():
                        return gone, False
                self.part = behind
                if not more():
                    return gone, False
            while self.field_part < db.field_expires.count:
                gone += expire_part(db, self.field_part, more)
                if not more():
                    return gone, False
                self.field_part += 1
            self.part = self.field_part = 0
            self.db = (self.db + 1) % len(engine.dbs)
        return gone, True


OWN_KEYS = 256
"""Keys of its own that a replica looks at in a turn."""


def expire_own(engine: Engine, own: dict[tuple[int, bytes], None]) -> int:
    """On a replica open for writes, delete what its own clients let expire; some keys a turn, in a circle."""
    gone = 0
    for entry in list(islice(own, OWN_KEYS)):
        del own[entry]
        db = engine.dbs[entry[0]]
        when = db.ttl_at(entry[1])
        if when < 0:
            continue  # deleted, made to last, or set anew by the primary
        if when <= engine.state.now_ms:
            db.expire(entry[1])
            gone += 1
        else:
            own[entry] = None
    return gone


HANDLERS = {
    "EXPIRE": _expire("expire", 1000, False),
    "EXPIREAT": _expire("expireat", 1000, True),
    "PEXPIRE": _expire("pexpire", 1, False),
    "PEXPIREAT": _expire("pexpireat", 1, True),
}
