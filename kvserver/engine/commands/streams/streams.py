"""Streams without groups: adding, reading ranges, deleting, trimming (https://redis.io/commands/?group=stream)."""

from __future__ import annotations

import re
from typing import Any

import cython

from kvserver.engine.keys.keyspace import BIG, EV_STREAM, Db, State
from kvserver.engine.run.session import Session
from kvserver.engine.values.id_map import LARGEST, MAX_ID, MIN_ID, Id, next_id, previous_id
from kvserver.engine.values.stream_value import NODE_BYTES_MAX, Entry, StreamValue
from kvserver.errors import NO_KEY, SYNTAX, WRONGTYPE, CommandError, wrong_arity
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import EMPTY_ARRAY, OK, ZERO, array_header, integer, null, null_array

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize  # type: ignore
    from cython.cimports.kvserver.engine.commands.strings.strings import small_int  # type: ignore
    from cython.cimports.kvserver.engine.values.id_map import format_id  # type: ignore
    from cython.cimports.kvserver.engine.values.stream_value import text_bytes  # type: ignore
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
    from kvserver.engine.commands.strings.strings import small_int
    from kvserver.engine.values.id_map import format_id
    from kvserver.engine.values.stream_value import text_bytes
    from kvserver.wire.resp import bulk, bulks

BAD_ID = "ERR Invalid stream ID specified as stream command argument"
_NUMBER = re.compile(rb"[ \t-\r]*[+-]?\d{1,40}\Z")
_TOO_SMALL = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
_BOTH = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
_OBEYED = ("primary", "loader")
"""Sessions whose requests were checked, and made exact, elsewhere."""
_NOT_SMALL = -(1 << 62)
_NODES_AT_ONCE = 100
"""How many nodes a trim of about so much may remove."""


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


def _unsigned(raw: bytes) -> int:
    """Read an unsigned number as strtoull does: signs, blanks and leading zeros are taken."""
    number = small_int(raw)
    if number >= 0:
        return number
    if not _NUMBER.match(raw):
        raise CommandError(BAD_ID)
    value = int(raw)
    plain = not raw.startswith(b"-") or raw[1:2] == b"0"
    if not plain or not -LARGEST <= value <= LARGEST:
        raise CommandError(BAD_ID)
    return value & LARGEST


def parse_id(raw: bytes, missing: int = 0, strict: bool = True) -> Id:
    """Read an id, "ms" or "ms-seq"; `missing` is the sequence of the first form.

    Raises:
        CommandError: none; with `strict` "-" and "+", the smallest and the greatest, are none either.
    """
    if raw in (b"-", b"+") and not strict:
        return MIN_ID if raw == b"-" else MAX_ID
    ms, dash, sequence = raw.partition(b"-")
    if len(raw) > 127:
        raise CommandError(BAD_ID)
    return _unsigned(ms), _unsigned(sequence) if dash else missing


def parse_bound(raw: bytes, upper: bool) -> Id:
    """Read a bound of a range, exclusive behind a parenthesis; return the bound with that id included."""
    if raw[:1] != b"(" or len(raw) == 1:
        return parse_id(raw, LARGEST if upper else 0, strict=False)
    entry = parse_id(raw[1:], LARGEST if upper else 0)
    inner = previous_id(entry) if upper else next_id(entry)
    if inner is None:
        raise CommandError(f"ERR invalid {'end' if upper else 'start'} ID for the interval")
    return inner


def _count(raw: bytes) -> int:
    """Parse an integer, a short one fast."""
    number = small_int(raw)
    return parse_int(raw) if number <= _NOT_SMALL else number


class Trim:
    """The options that XADD and XTRIM share, and where they stood."""

    def __init__(self) -> None:
        self.by = b""  # MAXLEN, MINID
        self.about = False
        self.limit = 0
        self.most = 0
        self.lowest = MIN_ID
        self.place = 0  # of the threshold among the arguments
        self.make = True  # not NOMKSTREAM
        self.limited = False

    def read(self, c: Session, a: list[bytes], adding: bool) -> int:
        """Read options; return the place of the argument behind them (for XADD, that of the id)."""
        i = 2
        while i < len(a):
            word = a[i].upper()
            more = i + 1 < len(a)
            if word in (b"MAXLEN", b"MINID") and more:
                i = self._threshold(a, i, word)
            elif word == b"LIMIT" and more:
                i += 1
                self.limit = parse_int(a[i])
                if self.limit < 0:
                    raise CommandError("ERR The LIMIT argument must be >= 0.")
                self.limited = True
            elif adding and word == b"NOMKSTREAM":
                self.make = False
            elif adding:
                break
            else:
                raise CommandError(SYNTAX)
            i += 1
        return i

    def _threshold(self, a: list[bytes], i: int, word: bytes) -> int:
        if self.by:
            raise CommandError(_BOTH)
        i += 1
        self.about = False
        if i + 1 < len(a) and a[i] in (b"~", b"="):
            self.about = a[i] == b"~"
            i += 1
        if word == b"MAXLEN":
            self.most = _count(a[i])
            if self.most < 0:
                raise CommandError("ERR The MAXLEN argument must be >= 0.")
        else:
            self.lowest = parse_id(a[i])
        self.by = word
        self.place = i
        return i

    def check(self, c: Session, adding: bool) -> None:
        """Refuse what doesn't go together, and set the limit where none was given."""
        if self.limit and not self.by:
            raise CommandError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
        if not adding and not self.by:
            raise CommandError("ERR syntax error, XTRIM must be called with a trimming strategy")
        if c.kind in _OBEYED:
            self.limit = 0
        elif self.limited and not self.about:
            raise CommandError("ERR syntax error, LIMIT cannot be used without the special ~ option")
        elif self.about and not self.limited:
            most = _NODES_AT_ONCE * c.db.state.limits.stream_entries
            self.limit = min(most, 1_000_000) if most > 0 else 10_000

    def apply(self, value: StreamValue, state: State) -> int:
        """Trim; return how many entries went."""
        if self.by == b"MAXLEN":
            gone = value.trim_to_length(self.most, self.about, self.limit)
        else:
            gone = value.trim_below(self.lowest, self.about, self.limit)
        if gone > BIG:
            state.trash.append(value.take_waste())
        elif value.waste:
            value.waste.clear()
        return gone

    def exact(self, line: list[bytes], value: StreamValue) -> None:
        """Turn "about so much" into what was left, so that whoever repeats the request leaves the same."""
        if self.about:
            line[self.place - 1] = b"="
            line[self.place] = b"%d" % value.length if self.by == b"MAXLEN" else format_id(value.first_kept_id())


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
        given = (_unsigned(a[place][:-2]), 0) if counted else parse_id(a[place])
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
        count = max(_count(a[i + 1]), 0)
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
