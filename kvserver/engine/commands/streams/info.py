"""XINFO: what is known about a stream, its groups and their consumers (https://redis.io/commands/xinfo-stream/)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from kvserver.engine.commands.streams.groups import bad_subcommand
from kvserver.engine.commands.streams.streams import as_stream, entries_reply, entry_reply, id_reply
from kvserver.engine.run.session import Session
from kvserver.engine.values.stream_groups import UNKNOWN, Group
from kvserver.engine.values.stream_value import Entry, StreamValue
from kvserver.errors import NO_KEY, CommandError, shown
from kvserver.wire.numbers import parse_int, signed64
from kvserver.wire.resp import array, bulk, integer, map_header, null, simple

HELP = (
    "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CONSUMERS <key> <groupname>",
    "    Show the consumers of a group.",
    "GROUPS <key>",
    "    Show the groups of a stream.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show what is known about a stream.",
    "HELP",
    "    Print this help.",
)
FEW = 10
"""Entries shown by FULL without COUNT."""


def _stream(c: Session, key: bytes) -> StreamValue:
    value = as_stream(c.db.lookup(key))
    if value is None:
        raise CommandError(NO_KEY)
    return value


def _map(pairs: list[tuple[bytes, bytes]], proto: int) -> bytes:
    return map_header(len(pairs), proto) + b"".join([bulk(name) + value for name, value in pairs])


def _number(value: int | None, proto: int) -> bytes:
    return null(proto) if value is None or value == UNKNOWN else integer(value)


def _lag(value: StreamValue, group: Group, proto: int) -> bytes:
    lag = value.lag(group)
    return null(proto) if lag is None else integer(lag)


def groups(c: Session, a: list[bytes]) -> bytes:
    """XINFO GROUPS key."""
    value = _stream(c, a[2])
    return array(
        [
            _map(
                [
                    (b"name", bulk(group.name)),
                    (b"consumers", integer(len(group.consumers))),
                    (b"pending", integer(len(group.pending))),
                    (b"last-delivered-id", id_reply(group.last_id)),
                    (b"entries-read", _number(group.entries_read, c.resp)),
                    (b"lag", _lag(value, group, c.resp)),
                ],
                c.resp,
            )
            for group in value.sorted_groups()
        ]
    )


def consumers(c: Session, a: list[bytes]) -> bytes:
    """XINFO CONSUMERS key group."""
    group = _stream(c, a[2]).groups.get(a[3])
    if group is None:
        raise CommandError(b"NOGROUP No such consumer group '%b' for key name '%b'" % (shown(a[3]), shown(a[2])))
    now = c.db.state.now_ms
    return array(
        [
            _map(
                [
                    (b"name", bulk(consumer.name)),
                    (b"pending", integer(len(consumer.pending))),
                    (b"idle", integer(max(signed64(now - consumer.seen_ms), 0))),
                ],
                c.resp,
            )
            for consumer in group.sorted_consumers()
        ]
    )


def stream(c: Session, a: list[bytes]) -> bytes:
    """XINFO STREAM key [FULL [COUNT n]]."""
    value = _stream(c, a[2])
    count = FEW
    if len(a) > 3:
        if len(a) not in (4, 6) or a[3].upper() != b"FULL" or (len(a) == 6 and a[4].upper() != b"COUNT"):
            raise bad_subcommand(a)
        if len(a) == 6:
            count = parse_int(a[5])
            count = FEW if count < 0 else count
    nodes = len(value.nodes)
    pairs = [
        (b"length", integer(value.length)),
        (b"radix-tree-keys", integer(nodes)),
        (b"radix-tree-nodes", integer(nodes + 1)),
        (b"last-generated-id", id_reply(value.last_id)),
        (b"max-deleted-entry-id", id_reply(value.max_deleted_id)),
        (b"entries-added", integer(signed64(value.entries_added))),
        (b"recorded-first-entry-id", id_reply(value.first_id)),
    ]
    if len(a) > 3:
        pairs.append((b"entries", entries_reply(value.first(count))))
        pairs.append((b"groups", array([_full_group(value, one, count, c.resp) for one in value.sorted_groups()])))
    else:
        pairs.append((b"groups", integer(len(value.groups))))
        pairs.append((b"first-entry", _first(value.entries(), c.resp)))
        pairs.append((b"last-entry", _first(value.entries(reverse=True), c.resp)))
    return _map(pairs, c.resp)


def _first(entries: Iterable[Entry], proto: int) -> bytes:
    for entry, flat in entries:
        return entry_reply(entry, flat)
    return null(proto)


def _full_group(value: StreamValue, group: Group, count: int, proto: int) -> bytes:
    most = count or None
    pending = [
        b"*4\r\n%b%b%b%b" % (id_reply(entry), bulk(name), integer(delivered), integer(signed64(deliveries)))
        for entry, (name, delivered, deliveries) in islice(group.pending.items(), most)
    ]
    members = []
    for consumer in group.sorted_consumers():
        owned = []
        for entry in islice(consumer.pending, most):
            _, delivered, deliveries = group.pending.get(entry)
            owned.append(b"*3\r\n%b%b%b" % (id_reply(entry), integer(delivered), integer(signed64(deliveries))))
        members.append(
            _map(
                [
                    (b"name", bulk(consumer.name)),
                    (b"seen-time", integer(consumer.seen_ms)),
                    (b"pel-count", integer(len(consumer.pending))),
                    (b"pending", array(owned)),
                ],
                proto,
            )
        )
    return _map(
        [
            (b"name", bulk(group.name)),
            (b"last-delivered-id", id_reply(group.last_id)),
            (b"entries-read", _number(group.entries_read, proto)),
            (b"lag", _lag(value, group, proto)),
            (b"pel-count", integer(len(group.pending))),
            (b"pending", array(pending)),
            (b"consumers", array(members)),
        ],
        proto,
    )


def help_(c: Session, a: list[bytes]) -> bytes:
    """XINFO HELP."""
    return array([simple(line) for line in HELP])


HANDLERS = {
    "XINFO|CONSUMERS": consumers,
    "XINFO|GROUPS": groups,
    "XINFO|HELP": help_,
    "XINFO|STREAM": stream,
}
