"""Streams without groups: adding, reading ranges, deleting, trimming (https://redis.io/commands/?group=stream)."""

from __future__ import annotations

from typing import Any

import cython

from kvserver.engine.keys.keyspace import EV_STREAM, Db
from kvserver.engine.run.session import Session
from kvserver.engine.values.id_map import LARGEST, MAX_ID, MIN_ID, Id, next_id
from kvserver.engine.values.stream_value import NODE_BYTES_MAX, Entry, StreamValue
from kvserver.errors import NO_KEY, SYNTAX, WRONGTYPE, CommandError, wrong_arity
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import EMPTY_ARRAY, OK, ZERO, array_header, integer, null, null_array

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize  # type: ignore
    from cython.cimports.kvserver.engine.commands.streams.ids import (  # type: ignore
        count_of,
        parse_bound,
        parse_id,
        unsigned,
    )
    from cython.cimports.kvserver.engine.commands.streams.trimming import Trim  # type: ignore
    from cython.cimports.kvserver.engine.values.id_map import format_id  # type: ignore
    from cython.cimports.kvserver.engine.values.stream_sizes import text_bytes  # type: ignore
    from cython.cimports.kvserver.wire.frames import (  # type: ignore
        array_size,
        bulk_size,
        write_array,
        write_bulk,
        write_head,
    )
    from cython.cimports.kvserver.wire.resp import bulk, bulks  # type: ignore
    from cython.cimports.libc.string import memcpy  # type: ignore
else:
    from kvserver.engine.commands.streams.ids import count_of, parse_bound, parse_id, unsigned
    from kvserver.engine.commands.streams.trimming import Trim
    from kvserver.engine.values.id_map import format_id
    from kvserver.engine.values.stream_sizes import text_bytes
    from kvserver.wire.resp import bulk, bulks

_TOO_SMALL = "ERR The ID specified in XADD is equal or smaller than the target stream top item"


def as_stream(value: Any) -> StreamValue | None:
    """Return a looked-up value as a stream; None stays None.

    Raises:
        CommandError: WRONGTYPE.
    """
    if value is None or type(value) is StreamValue:
        return value
    raise CommandError(WRONGTYPE)


def id_reply(entry: Id) -> bytes:
    """Encode an id."""
    return bulk(format_id(entry))


def xadd(c: Session, a: list[bytes]) -> bytes:
    """XADD key [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT n]] *|id field value [field value …]."""
    if a[2] == b"*" and len(a) % 2:
        return _append(c, a, 2, None, None, False)
    options = Trim()
    place = options.read(c, a, True)
    given: Id | None = None
    counted = False
    if place < len(a) and a[place] != b"*":
        counted = a[place].endswith(b"-*")
        given = (unsigned(a[place][:-2]), 0) if counted else parse_id(a[place])
    options.check(c, True)
    if len(a) - place < 3 or (len(a) - place) % 2 == 0:
        raise wrong_arity("xadd")
    if given == MIN_ID and not counted:
        raise CommandError("ERR The ID specified in XADD must be greater than 0-0")
    return _append(c, a, place, options, given, counted)


def _append(
    c: Session, a: list[bytes], place: int, options: Trim | None, given: Id | None, counted: bool
) -> bytes:
    db = c.db
    state = db.state
    key = a[1]
    value = db.lookup_write(key)
    fresh = value is None
    if fresh:
        if options is not None and not options.make:
            return null(c.resp)
        value = StreamValue()
    elif type(value) is not StreamValue:
        raise CommandError(WRONGTYPE)
    stream: StreamValue = value
    entry = _new_id(stream, given, counted, state.now_ms)
    flat = a[place + 1 :]
    if text_bytes(flat) > NODE_BYTES_MAX:
        raise CommandError("ERR Elements are too large to be stored")
    stream.append(entry, flat, state.limits.stream_entries, state.limits.stream_bytes)
    if fresh:
        db.put(key, stream)
    db.changed(key, EV_STREAM, b"xadd")
    if options is not None and options.by and options.apply(stream, state):
        db.notify(key, EV_STREAM, b"xtrim")
    text = format_id(entry)
    if state.logging and (given is None or counted or (options is not None and options.about)):
        line = list(a)
        line[place] = text
        if options is not None:
            options.exact(line, stream)
        state.instead(db.index, line)
    return bulk(text)


def _new_id(value: StreamValue, given: Id | None, counted: bool, now_ms: int) -> Id:
    """Decide the id of a new entry.

    Raises:
        CommandError: it wouldn't be greater than the last one.
    """
    last = value.last_id
    if last == MAX_ID:
        raise CommandError("ERR The stream has exhausted the last possible ID, unable to add more items")
    if given is None:
        return (now_ms, 0) if now_ms > last[0] else next_id(last) or MAX_ID
    if counted and given[0] == last[0]:
        if last[1] == LARGEST:
            raise CommandError(_TOO_SMALL)
        return last[0], last[1] + 1
    if given <= last:
        raise CommandError(_TOO_SMALL)
    return given


def xlen(c: Session, a: list[bytes]) -> bytes:
    """XLEN key."""
    value = as_stream(c.db.lookup(a[1]))
    return ZERO if value is None else integer(value.length)


def entry_reply(entry: Id, flat: list[bytes]) -> bytes:
    """Encode an entry."""
    return b"*2\r\n%b%b" % (id_reply(entry), bulks(flat))


def entries_reply(entries: list[Entry]) -> bytes:
    """Encode entries, in one buffer."""
    if cython.compiled:
        names: list[bytes] = [format_id(entry) for entry, _ in entries]
        head = cython.declare(cython.char[24])
        size: cython.Py_ssize_t = write_head(head, 42, len(names))
        total: cython.Py_ssize_t = size
        for i in range(len(names)):
            name: bytes = names[i]
            flat: list[bytes] = entries[i][1]
            total += 4 + bulk_size(len(name)) + array_size(flat)
        out: bytes = PyBytes_FromStringAndSize(cython.NULL, total)
        d: cython.p_char = PyBytes_AS_STRING(out)
        memcpy(d, head, size)
        d += size
        for i in range(len(names)):
            d += write_head(d, 42, 2)
            name = names[i]
            d += write_bulk(d, name)
            flat = entries[i][1]
            d += write_array(d, flat)
        return out
    parts = [b"*2\r\n%b%b" % (id_reply(entry), bulks(flat)) for entry, flat in entries]
    return array_header(len(parts)) + b"".join(parts)


def xrange_(c: Session, a: list[bytes]) -> bytes:
    """XRANGE key start end [COUNT n]."""
    return _range(c, a, parse_bound(a[2], False), a[3], False)


def xrevrange(c: Session, a: list[bytes]) -> bytes:
    """XREVRANGE key end start [COUNT n]."""
    return _range(c, a, parse_bound(a[3], False), a[2], True)


def _range(c: Session, a: list[bytes], start: Id, upper: bytes, reverse: bool) -> bytes:
    end = parse_bound(upper, True)
    count = -1
    for i in range(4, len(a), 2):
        if a[i].upper() != b"COUNT" or i + 1 >= len(a):
            raise CommandError(SYNTAX)
        count = max(count_of(a[i + 1]), 0)
    value = as_stream(c.db.lookup(a[1]))
    if value is None:
        return EMPTY_ARRAY
    if count == 0:
        return null_array(c.resp)
    return entries_reply(value.first(max(count, 0), start, end, reverse))


def xdel(c: Session, a: list[bytes]) -> bytes:
    """XDEL key id [id …]."""
    db = c.db
    value = as_stream(db.lookup_write(a[1]))
    if value is None:
        return ZERO
    gone = 0
    first_gone = False
    for entry in [parse_id(raw) for raw in a[2:]]:
        if value.delete(entry):
            first_gone = first_gone or entry == value.first_id
            value.max_deleted_id = max(value.max_deleted_id, entry)
            gone += 1
    if gone:
        if first_gone or not value.length:
            value.find_first()
        db.changed(a[1], EV_STREAM, b"xdel")
        db.state.dirty += gone - 1
    return integer(gone)


def xtrim(c: Session, a: list[bytes]) -> bytes:
    """XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT n]."""
    options = Trim()
    options.read(c, a, False)
    options.check(c, False)
    db = c.db
    value = as_stream(db.lookup_write(a[1]))
    if value is None:
        return ZERO
    gone = options.apply(value, db.state)
    if gone:
        db.changed(a[1], EV_STREAM, b"xtrim")
        db.state.dirty += gone - 1
        if options.about:
            line = list(a)
            options.exact(line, value)
            db.state.instead(db.index, line)
    return integer(gone)


def xsetid(c: Session, a: list[bytes]) -> bytes:
    """XSETID key last-id [ENTRIESADDED n] [MAXDELETEDID id]."""
    last = parse_id(a[2])
    added, deleted = _xsetid_options(a, last)
    db = c.db
    value = as_stream(db.lookup_write(a[1]))
    if value is None:
        raise CommandError(NO_KEY)
    if value.length:
        if last < value.last_valid_id():
            raise CommandError("ERR The ID specified in XSETID is smaller than the target stream top item")
        if added != -1 and value.length > added:
            raise CommandError("ERR The entries_added specified in XSETID is smaller than the target stream length")
    value.last_id = last
    if added != -1:
        value.entries_added = added
    if deleted != MIN_ID:
        value.max_deleted_id = deleted
    altered(db, a[1], b"xsetid")
    return OK


def _xsetid_options(a: list[bytes], last: Id) -> tuple[int, Id]:
    added, deleted = -1, MIN_ID
    for i in range(3, len(a), 2):
        word = a[i].upper()
        if i + 1 >= len(a) or word not in (b"ENTRIESADDED", b"MAXDELETEDID"):
            raise CommandError(SYNTAX)
        if word == b"ENTRIESADDED":
            added = parse_int(a[i + 1])
            if added < 0:
                raise CommandError("ERR entries_added must be positive")
        else:
            deleted = parse_id(a[i + 1])
            if last < deleted:
                raise CommandError(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
                )
    return added, deleted


def altered(db: Db, key: bytes, event: bytes) -> None:
    """Report a change that leaves the entries as they are: it breaks no WATCH and wakes nobody."""
    db.state.dirty += 1
    db.notify(key, EV_STREAM, event)


HANDLERS = {
    "XADD": xadd,
    "XDEL": xdel,
    "XLEN": xlen,
    "XRANGE": xrange_,
    "XREVRANGE": xrevrange,
    "XSETID": xsetid,
    "XTRIM": xtrim,
}
