"""Consumer groups: making and removing them, acknowledging, what is pending.

What reading and claiming do to a group reaches the log as XCLAIM with all facts given (and XGROUP SETID where only the
last id moved), so that whoever repeats it gets the same times and counts.
"""

from __future__ import annotations

from kvserver.engine.commands.streams.ids import parse_bound, parse_id
from kvserver.engine.commands.streams.streams import altered, as_stream, id_reply
from kvserver.engine.keys.keyspace import BIG, EV_STREAM, Db
from kvserver.engine.run.session import Session
from kvserver.engine.values.id_map import MIN_ID, Id, format_id
from kvserver.engine.values.stream_groups import UNKNOWN, Consumer, Group, Nack
from kvserver.engine.values.stream_value import StreamValue
from kvserver.errors import SYNTAX, CommandError, shown
from kvserver.wire.numbers import parse_int, signed64
from kvserver.wire.resp import OK, ONE, ZERO, array, array_header, bulk, integer, null, null_array, simple

HELP = (
    "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CREATE <key> <groupname> <id|$> [option]",
    "    Make a consumer group. Options are:",
    "    * MKSTREAM",
    "      Make an empty stream where there is none.",
    "    * ENTRIESREAD entries_read",
    "      Say how many entries the group has read (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Make a consumer in a group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove a consumer.",
    "DESTROY <key> <groupname>",
    "    Remove a group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the last id delivered to a group, and how many entries it has read.",
    "HELP",
    "    Print this help.",
)
_NO_KEY = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "
    "option to create an empty stream automatically."
)


def no_group(key: bytes, name: bytes, rest: bytes = b"") -> CommandError:
    """The error where a key or its group is missing."""
    return CommandError(b"NOGROUP No such key '%b' or consumer group '%b'%b" % (shown(key), shown(name), rest))


def bad_subcommand(a: list[bytes]) -> CommandError:
    """The error for a container's subcommand with arguments that don't fit it."""
    return CommandError(
        b"ERR unknown subcommand or wrong number of arguments for '%b'. Try %b HELP." % (a[1][:128], a[0].upper())
    )


def _entries_read(a: list[bytes], i: int) -> int:
    count = parse_int(a[i])
    if count < 0 and count != UNKNOWN:
        raise CommandError("ERR value for ENTRIESREAD must be positive or -1")
    return count


def _stream_to_change(c: Session, key: bytes) -> StreamValue:
    value = as_stream(c.db.lookup_write(key))
    if value is None:
        raise CommandError(_NO_KEY)
    return value


def _group_to_change(c: Session, a: list[bytes]) -> tuple[StreamValue, Group]:
    value = _stream_to_change(c, a[2])
    group = value.groups.get(a[3])
    if group is None:
        raise CommandError(b"NOGROUP No such consumer group '%b' for key name '%b'" % (shown(a[3]), shown(a[2])))
    return value, group


def create(c: Session, a: list[bytes]) -> bytes:
    """XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD n]."""
    make, read = False, UNKNOWN
    i = 5
    while i < len(a):
        word = a[i].upper()
        if word == b"MKSTREAM":
            make = True
        elif word == b"ENTRIESREAD" and i + 1 < len(a):
            i += 1
            read = _entries_read(a, i)
        else:
            raise bad_subcommand(a)
        i += 1
    value = as_stream(c.db.lookup_write(a[2])) if make else _stream_to_change(c, a[2])
    if len(a) > 8:
        raise bad_subcommand(a)
    if a[4] == b"$":
        last = MIN_ID if value is None else value.last_id
    else:
        last = parse_id(a[4])
    if value is not None and a[3] in value.groups:
        raise CommandError("BUSYGROUP Consumer Group name already exists")
    group = Group(a[3], last, read)
    if value is None:
        value = StreamValue()
        value.groups[a[3]] = group
        c.db.put(a[2], value)
        c.db.changed(a[2], EV_STREAM, b"xgroup-create")
    else:
        value.groups[a[3]] = group
        altered(c.db, a[2], b"xgroup-create")
    return OK


def setid(c: Session, a: list[bytes]) -> bytes:
    """XGROUP SETID key group id|$ [ENTRIESREAD n]."""
    read = UNKNOWN
    for i in range(5, len(a), 2):
        if a[i].upper() != b"ENTRIESREAD" or i + 1 >= len(a):
            raise bad_subcommand(a)
        read = _entries_read(a, i + 1)
    value, group = _group_to_change(c, a)
    if len(a) > 7:
        raise bad_subcommand(a)
    group.last_id = value.last_id if a[4] == b"$" else parse_id(a[4], strict=False)
    group.entries_read = read
    altered(c.db, a[2], b"xgroup-setid")
    return OK


def destroy(c: Session, a: list[bytes]) -> bytes:
    """XGROUP DESTROY key group: who waits for it is told."""
    value = _stream_to_change(c, a[2])
    group = value.groups.pop(a[3], None)
    if group is None:
        return ZERO
    if len(group.pending) > BIG:
        heap = StreamValue()
        heap.groups[a[3]] = group
        c.db.state.trash.append(heap)
    altered(c.db, a[2], b"xgroup-destroy")
    if a[2] in c.db.blocked:
        c.engine.ready[(c.db.index, a[2])] = None
    return ONE


def create_consumer(c: Session, a: list[bytes]) -> bytes:
    """XGROUP CREATECONSUMER key group consumer."""
    _, group = _group_to_change(c, a)
    if a[4] in group.consumers:
        return ZERO
    add_consumer(c.db, a[2], group, a[4])
    return ONE


def add_consumer(db: Db, key: bytes, group: Group, name: bytes) -> Consumer:
    """Make a consumer, and tell of it."""
    consumer = group.consumers[name] = Consumer(name, db.state.now_ms)
    altered(db, key, b"xgroup-createconsumer")
    return consumer


def seen_consumer(db: Db, key: bytes, group: Group, name: bytes) -> Consumer:
    """The consumer of that name, seen now; made if there is none."""
    consumer = group.consumers.get(name)
    if consumer is None:
        return add_consumer(db, key, group, name)
    consumer.seen_ms = db.state.now_ms
    return consumer


def del_consumer(c: Session, a: list[bytes]) -> bytes:
    """XGROUP DELCONSUMER key group consumer."""
    _, group = _group_to_change(c, a)
    if a[4] not in group.consumers:
        return ZERO
    pending = group.remove_consumer(a[4])
    altered(c.db, a[2], b"xgroup-delconsumer")
    return integer(pending)


def help_(c: Session, a: list[bytes]) -> bytes:
    """XGROUP HELP."""
    return array([simple(line) for line in HELP])


def xack(c: Session, a: list[bytes]) -> bytes:
    """XACK key group id [id …]."""
    value = as_stream(c.db.lookup(a[1]))
    group = None if value is None else value.groups.get(a[2])
    if group is None:
        return ZERO
    ids = [parse_id(raw) for raw in a[3:]]
    if c.db.hooks:
        c.db.before_write(a[1])
    gone = sum(group.forget(entry) for entry in ids)
    c.db.state.dirty += gone
    return integer(gone)


def xpending(c: Session, a: list[bytes]) -> bytes:
    """XPENDING key group [[IDLE ms] start end count [consumer]]."""
    n = len(a)
    if n != 3 and not 6 <= n <= 9:
        raise CommandError(SYNTAX)
    if n == 3:
        return _summary(_group_to_read(c, a), c.resp)
    i, idle = 3, 0
    if a[3].upper() == b"IDLE":
        idle = parse_int(a[4])
        if n < 8:
            raise CommandError(SYNTAX)
        i = 5
    count = max(parse_int(a[i + 2]), 0)
    start, end = parse_bound(a[i], False), parse_bound(a[i + 1], True)
    group = _group_to_read(c, a)
    consumer = None
    if i + 3 < n:
        consumer = group.consumers.get(a[i + 3])
        if consumer is None:
            return array_header(0)
    return _details(group, consumer, start, end, count, idle, c.db.state.now_ms)


def _group_to_read(c: Session, a: list[bytes]) -> Group:
    value = as_stream(c.db.lookup(a[1]))
    group = None if value is None else value.groups.get(a[2])
    if group is None:
        raise no_group(a[1], a[2])
    return group


def _summary(group: Group, proto: int) -> bytes:
    if not len(group.pending):
        return b"*4\r\n:0\r\n%b%b%b" % (null(proto), null(proto), null_array(proto))
    owners = [
        b"*2\r\n%b%b" % (bulk(consumer.name), bulk(b"%d" % len(consumer.pending)))
        for consumer in group.sorted_consumers()
        if len(consumer.pending)
    ]
    pending = group.pending
    head = b"*4\r\n%b%b%b" % (integer(len(pending)), id_reply(pending.first()), id_reply(pending.last()))
    return head + array(owners)


def _details(
    group: Group, consumer: Consumer | None, start: Id, end: Id, count: int, idle: int, now_ms: int
) -> bytes:
    out: list[bytes] = []
    for entry, _ in (group if consumer is None else consumer).pending.items(start, end):
        if len(out) >= count:
            break
        name, delivered, deliveries = group.pending.get(entry)
        elapsed = signed64(now_ms - delivered)
        if idle and elapsed < idle:
            continue
        since = max(elapsed, 0)
        out.append(b"*4\r\n%b%b%b%b" % (id_reply(entry), bulk(name), integer(since), integer(signed64(deliveries))))
    return array(out)


def log_claim(db: Db, key: bytes, group: Group, entry: Id, nack: Nack) -> None:
    """Log that an entry is pending for a consumer, with all facts."""
    if db.state.logging:
        db.state.instead(
            db.index,
            [
                b"XCLAIM", key, group.name, nack[0], b"0", format_id(entry), b"TIME", b"%d" % nack[1],
                b"RETRYCOUNT", b"%d" % signed64(nack[2]), b"FORCE", b"JUSTID", b"LASTID", format_id(group.last_id),
            ],
        )  # fmt: skip


def log_last_id(db: Db, key: bytes, group: Group) -> None:
    """Log how far a group has come."""
    db.state.instead(
        db.index,
        [b"XGROUP", b"SETID", key, group.name, format_id(group.last_id), b"ENTRIESREAD", b"%d" % group.entries_read],
    )


HANDLERS = {
    "XACK": xack,
    "XGROUP|CREATE": create,
    "XGROUP|CREATECONSUMER": create_consumer,
    "XGROUP|DELCONSUMER": del_consumer,
    "XGROUP|DESTROY": destroy,
    "XGROUP|HELP": help_,
    "XGROUP|SETID": setid,
    "XPENDING": xpending,
}
