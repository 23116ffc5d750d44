"""XCLAIM and XAUTOCLAIM: pending entries change hands."""

from __future__ import annotations

from kvserver.engine.commands.streams.groups import log_claim, log_last_id, no_group, seen_consumer
from kvserver.engine.commands.streams.ids import parse_bound, parse_id
from kvserver.engine.commands.streams.streams import as_stream, entry_reply, id_reply
from kvserver.engine.run.session import Session
from kvserver.engine.values.id_map import MIN_ID, Id
from kvserver.engine.values.stream_groups import Consumer, Group, Nack
from kvserver.engine.values.stream_value import StreamValue
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import INT64_MAX, parse_int, parse_range, signed64
from kvserver.wire.resp import array, array_header

_ATTEMPTS = 10
"""Pending entries that XAUTOCLAIM looks at for each one it may claim."""


class Claim:
    """One XCLAIM or XAUTOCLAIM under way."""

    def __init__(self, c: Session, key: bytes, value: StreamValue, group: Group, name: bytes, idle: int) -> None:
        self.db = c.db
        self.key = key
        self.value = value
        self.group = group
        self.name = name
        self.idle_ms = max(idle, 0)
        self.when_ms = c.db.state.now_ms  # the new time of delivery
        self.count = -1  # RETRYCOUNT
        self.just_ids = False
        self.consumer: Consumer | None = None
        self.out: list[bytes] = []

    def drop(self, entry: Id, nack: Nack) -> None:
        """Forget a pending entry that is in the stream no more."""
        log_claim(self.db, self.key, self.group, entry, nack)
        self.db.state.dirty += 1
        self.group.forget(entry)

    def take(self, entry: Id, nack: Nack | None, flat: list[bytes]) -> bool:
        """Give an entry, pending or (forced) not, to the consumer; False when it wasn't idle for long enough."""
        db = self.db
        if nack is not None and self.idle_ms and signed64(db.state.now_ms - nack[1]) < self.idle_ms:
            return False
        if self.consumer is None:
            self.consumer = seen_consumer(db, self.key, self.group, self.name)
        count = 1 if nack is None else nack[2]
        if self.count >= 0:
            count = self.count
        elif not self.just_ids:
            count += 1
        self.group.deliver(entry, self.consumer, self.when_ms, count)
        self.out.append(id_reply(entry) if self.just_ids else entry_reply(entry, flat))
        log_claim(db, self.key, self.group, entry, (self.name, self.when_ms, count))
        db.state.dirty += 1
        return True


def xclaim(c: Session, a: list[bytes]) -> bytes:
    """XCLAIM key group consumer min-idle id [id …] [IDLE ms] [TIME ms] [RETRYCOUNT n] [FORCE] [JUSTID] [LASTID id]."""
    db = c.db
    value = as_stream(db.lookup(a[1]))
    group = None if value is None else value.groups.get(a[2])
    if value is None or group is None:
        raise no_group(a[1], a[2])
    claim = Claim(c, a[1], value, group, a[3], parse_int(a[4], "ERR Invalid min-idle-time argument for XCLAIM"))
    ids, i = _leading_ids(a, 5)
    force, last = _claim_options(claim, a, i)
    if db.hooks:
        db.before_write(a[1])
    moved = last > group.last_id
    group.last_id = max(last, group.last_id)
    before = db.state.dirty
    db.state.silence()
    for entry in ids:
        nack: Nack | None = group.pending.get(entry)
        flat = value.get(entry)
        if flat is None:
            if nack is not None:
                claim.drop(entry, nack)
        elif nack is not None or force:
            claim.take(entry, nack, flat)
    if moved and db.state.dirty == before:
        log_last_id(db, a[1], group)
        db.state.dirty += 1
    return array(claim.out)


def _leading_ids(a: list[bytes], i: int) -> tuple[list[Id], int]:
    """Read ids up to the first argument that is none; return them and its place."""
    ids: list[Id] = []
    while i < len(a):
        try:
            ids.append(parse_id(a[i]))
        except CommandError:
            break
        i += 1
    return ids, i


def _claim_options(claim: Claim, a: list[bytes], i: int) -> tuple[bool, Id]:
    """Read XCLAIM's options; return (FORCE, LASTID)."""
    now = claim.db.state.now_ms
    force, last, when = False, MIN_ID, -1
    while i < len(a):
        word = a[i].upper()
        more = i + 1 < len(a)
        if word == b"FORCE":
            force = True
        elif word == b"JUSTID":
            claim.just_ids = True
        elif word == b"LASTID" and more:
            i += 1
            last = parse_id(a[i])
        elif word in (b"IDLE", b"TIME", b"RETRYCOUNT") and more:
            i += 1
            number = parse_int(a[i], f"ERR Invalid {word.decode()} option argument for XCLAIM")
            if word == b"RETRYCOUNT":
                claim.count = number
            else:
                when = number if word == b"TIME" else now - number
        else:
            raise CommandError(b"ERR Unrecognized XCLAIM option '%b'" % a[i])
        i += 1
    claim.when_ms = when if 0 <= when <= now else now
    return force, last


def xautoclaim(c: Session, a: list[bytes]) -> bytes:
    """XAUTOCLAIM key group consumer min-idle start [COUNT n] [JUSTID]."""
    idle = parse_int(a[4], "ERR Invalid min-idle-time argument for XAUTOCLAIM")
    start = parse_bound(a[5], False)
    count, just_ids = _autoclaim_options(a)
    db = c.db
    value = as_stream(db.lookup(a[1]))
    group = None if value is None else value.groups.get(a[2])
    if value is None or group is None:
        raise no_group(a[1], a[2])
    claim = Claim(c, a[1], value, group, a[3], idle)
    claim.just_ids = just_ids
    if db.hooks:
        db.before_write(a[1])
    db.state.silence()
    gone: list[bytes] = []
    cursor = MIN_ID
    attempts = count * _ATTEMPTS
    for entry, nack in group.pending.walk(start):
        if not attempts or len(claim.out) + len(gone) >= count:
            cursor = entry
            break
        attempts -= 1
        flat = value.get(entry)
        if flat is None:
            claim.drop(entry, nack)
            gone.append(id_reply(entry))
        else:
            claim.take(entry, nack, flat)
    return array_header(3) + id_reply(cursor) + array(claim.out) + array(gone)


def _autoclaim_options(a: list[bytes]) -> tuple[int, bool]:
    count, just_ids = 100, False
    i = 6
    while i < len(a):
        word = a[i].upper()
        if word == b"COUNT" and i + 1 < len(a):
            i += 1
            count = parse_range(a[i], 1, INT64_MAX // 16, "ERR COUNT must be > 0")
        elif word == b"JUSTID":
            just_ids = True
        else:
            raise CommandError(SYNTAX)
        i += 1
    return count, just_ids


HANDLERS = {"XAUTOCLAIM": xautoclaim, "XCLAIM": xclaim}
