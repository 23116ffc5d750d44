"""XREAD and XREADGROUP: what is new in streams, waiting for it if wanted.

A request that waits runs again when one of its streams was written: it is served from that stream alone.  Ids
given as $ (the last id) or + (the one before the last entry's, Redis 7.4) are resolved before it waits; those given
as > mean the group's last id at the time of being served.
"""

from __future__ import annotations

from kvserver.engine.commands.streams.groups import log_claim, log_last_id, no_group, seen_consumer
from kvserver.engine.commands.streams.ids import parse_id
from kvserver.engine.commands.streams.streams import as_stream, entries_reply, entry_reply, id_reply
from kvserver.engine.commands.waiting import wait_for
from kvserver.engine.run.session import Blocked, Session
from kvserver.engine.values.id_map import MAX_ID, MIN_ID, Id, format_id, next_id, previous_id
from kvserver.engine.values.stream_groups import Consumer, Group
from kvserver.engine.values.stream_value import Entry, StreamValue
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import INT64_MAX, parse_int
from kvserver.wire.resp import array_header, bulk, map_header, null_array

MOST_WAITED_FOR = 1000
"""Entries given to a client that waited, if it set no COUNT."""
NEW = MAX_ID
"""Stands for >."""


class Reading:
    """The arguments of a request."""

    def __init__(self, c: Session, a: list[bytes], grouped: bool) -> None:
        self.grouped = grouped
        self.timeout = -1
        self.count = 0
        self.no_ack = False
        self.group: bytes | None = None
        self.consumer = b""
        self.first = 0  # place of the first key
        i = 1
        while i < len(a) and not self.first:
            i = self._option(c, a, i) + 1
        if not self.first:
            raise CommandError(SYNTAX)
        if grouped and self.group is None:
            raise CommandError("ERR Missing GROUP option for XREADGROUP")
        half = (len(a) - self.first) // 2
        self.keys = a[self.first : self.first + half]
        self.ids = a[self.first + half :]

    def _option(self, c: Session, a: list[bytes], i: int) -> int:
        """Read the option at place `i`; return the place of its last word."""
        word = a[i].upper()
        more = len(a) - i - 1
        if word == b"BLOCK" and more:
            if c.kind == "script":
                raise CommandError(b"ERR %b command is not allowed with BLOCK option from scripts" % a[0])
            self.timeout = _timeout(a[i + 1], c.db.state.now_ms)
            return i + 1
        if word == b"COUNT" and more:
            self.count = max(parse_int(a[i + 1]), 0)
            return i + 1
        if word == b"STREAMS" and more:
            self.first = i + 1
            if more % 2:
                raise CommandError(
                    "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
                )
            return i
        if word == b"GROUP" and more >= 2:
            self._only_grouped("GROUP")
            self.group, self.consumer = a[i + 1], a[i + 2]
            return i + 2
        if word == b"NOACK":
            self._only_grouped("NOACK")
            self.no_ack = True
            return i
        raise CommandError(SYNTAX)

    def _only_grouped(self, option: str) -> None:
        if not self.grouped:
            raise CommandError(
                f"ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
            )


def _timeout(raw: bytes, now_ms: int) -> int:
    timeout = parse_int(raw, "ERR timeout is not an integer or out of range")
    if timeout < 0:
        raise CommandError("ERR timeout is negative")
    if timeout > INT64_MAX - now_ms:
        raise CommandError("ERR timeout is out of range")
    return timeout


def xread(c: Session, a: list[bytes]) -> bytes | None:
    """XREAD [COUNT n] [BLOCK ms] STREAMS key [key …] id [id …]."""
    request = Reading(c, a, False)
    if c.blocked is not None:
        return _serve_waiting(c, request, c.blocked)
    starts: list[Id] = []
    for key, raw in zip(request.keys, request.ids, strict=True):
        value = as_stream(c.db.lookup(key))
        if raw == b">":
            raise CommandError(
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
            )
        if raw == b"+":
            last = MIN_ID if value is None else value.last_valid_id()
            starts.append(previous_id(last) or MIN_ID)
        elif raw == b"$":
            starts.append(MIN_ID if value is None else value.last_id)
        else:
            starts.append(parse_id(raw))
    found: list[bytes] = []
    for key, after in zip(request.keys, starts, strict=True):
        value = as_stream(c.db.lookup(key))
        if value is not None and value.length and value.last_valid_id() > after:
            found.append(bulk(key) + entries_reply(_behind(value, after, request.count)))
    if found:
        return _streams_reply(found, c.resp)
    if request.timeout < 0:
        return null_array(c.resp)
    c.args = [*a[: request.first + len(starts)], *map(format_id, starts)]
    return wait_for(c, "stream", request.keys, request.timeout)


def _behind(value: StreamValue, after: Id, count: int) -> list[Entry]:
    """The first `count` entries (0: all) behind an id."""
    start = next_id(after)
    return [] if start is None else value.first(count, start)


def _streams_reply(found: list[bytes], proto: int) -> bytes:
    """Encode streams and their entries: pairs in RESP2, a map in RESP3."""
    if proto == 3:
        return map_header(len(found), 3) + b"".join(found)
    return array_header(len(found)) + b"".join([b"*2\r\n" + one for one in found])


def _serve_waiting(c: Session, request: Reading, wait: Blocked) -> bytes | None:
    """Serve a client that waits from the stream that was written; None when there is nothing for it."""
    key = wait.ready
    value = c.db.peek(key)
    if type(value) is not StreamValue:
        if request.grouped:
            raise CommandError("UNBLOCKED the stream key no longer exists")
        return None
    count = request.count or MOST_WAITED_FOR
    if request.group is None:
        after = parse_id(request.ids[request.keys.index(key)])
        if value.last_id <= after:
            return None
        entries = entries_reply(_behind(value, after, count))
    else:
        group = value.groups.get(request.group)
        if group is None:
            raise CommandError("NOGROUP the consumer group this client was blocked on no longer exists")
        if value.last_id <= group.last_id:
            return None
        entries = _deliver(c, key, value, group, request, count)
    return _streams_reply([bulk(key) + entries], c.resp)


def xreadgroup(c: Session, a: list[bytes]) -> bytes | None:
    """XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] [NOACK] STREAMS key [key …] id [id …]."""
    request = Reading(c, a, True)
    if c.blocked is not None:
        return _serve_waiting(c, request, c.blocked)
    wanted = [
        (key, *_group_and_start(c, request, key, raw))
        for key, raw in zip(request.keys, request.ids, strict=True)
    ]
    found: list[bytes] = []
    for key, value, group, after in wanted:
        if after != NEW:
            found.append(bulk(key) + _history(c, key, value, group, request, after))
        elif value.length and value.last_valid_id() > group.last_id:
            found.append(bulk(key) + _deliver(c, key, value, group, request, request.count))
    if found:
        return _streams_reply(found, c.resp)
    return null_array(c.resp) if request.timeout < 0 else wait_for(c, "stream", request.keys, request.timeout)


def _group_and_start(c: Session, request: Reading, key: bytes, raw: bytes) -> tuple[StreamValue, Group, Id]:
    assert request.group is not None
    value = as_stream(c.db.lookup(key))
    group = None if value is None else value.groups.get(request.group)
    if value is None or group is None:
        raise no_group(key, request.group, b" in XREADGROUP with GROUP option")
    if raw == b"$":
        raise CommandError(
            "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer "
            "by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty "
            "result set."
        )
    return value, group, NEW if raw == b">" else parse_id(raw)


def _reader(c: Session, key: bytes, group: Group, request: Reading) -> Consumer:
    """The consumer that reads, seen now; what it does is logged by facts, not by its request."""
    db = c.db
    if db.hooks:
        db.before_write(key)
    db.state.silence()
    db.state.dirty += 1
    new = request.consumer not in group.consumers
    consumer = seen_consumer(db, key, group, request.consumer)
    if new and request.no_ack:
        db.state.instead(db.index, [b"XGROUP", b"CREATECONSUMER", key, group.name, request.consumer])
    return consumer


def _history(
    c: Session, key: bytes, value: StreamValue, group: Group, request: Reading, after: Id
) -> bytes:
    """What was delivered to the consumer before and isn't acknowledged, behind an id."""
    consumer = _reader(c, key, group, request)
    start = next_id(after)
    out: list[bytes] = []
    for entry, _ in consumer.pending.walk(start) if start is not None else ():
        if request.count and len(out) >= request.count:
            break
        flat = value.get(entry)
        if flat is None:
            out.append(b"*2\r\n%b%b" % (id_reply(entry), null_array(c.resp)))
        else:
            _, _, deliveries = group.pending.get(entry)
            group.pending.set(entry, (consumer.name, c.db.state.now_ms, deliveries + 1))
            out.append(entry_reply(entry, flat))
    return array_header(len(out)) + b"".join(out)


def _deliver(c: Session, key: bytes, value: StreamValue, group: Group, request: Reading, count: int) -> bytes:
    """What is new for a group, now pending for the consumer unless it said NOACK."""
    consumer = _reader(c, key, group, request)
    entries = _behind(value, group.last_id, count)
    now = c.db.state.now_ms
    for entry, _ in entries:
        value.advance(group, entry)
        if not request.no_ack:
            group.deliver(entry, consumer, now, 1)
            log_claim(c.db, key, group, entry, (consumer.name, now, 1))
    if entries and request.no_ack:
        log_last_id(c.db, key, group)
    return entries_reply(entries)


HANDLERS = {"XREAD": xread, "XREADGROUP": xreadgroup}
