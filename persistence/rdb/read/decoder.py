# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False
"""The RDB decoder: fed bytes as they come, it answers with events.

A file is "REDIS" and four digits of version, then items, each begun by one byte: an opcode from 244 up, or
the type of a key's value, which key and value follow. OP_EOF and eight bytes of checksum end it.

The decoder's unit is the item, and within a counted collection the element. `Reader.start` is where the
current unit began; running short (`Short`) goes back there and remembers how many bytes the unit is known
to need, so that chunks are only gathered, not parsed again, until those have come. An expiry, an idle time
or a frequency is an item of its own which is remembered for the key that follows.

After the end, bytes that were fed too much are in `rest`: a replication stream goes on there.
"""

from __future__ import annotations

from typing import Any

from persistence.rdb import opcodes as op
from persistence.rdb.crc64 import Checksum
from persistence.rdb.errors import RdbError, Short
from persistence.rdb.model import STRING, Aux, End, Event, Function, Key, ResizeDb, SelectDb, Version
from persistence.rdb.read.builders import Builders
from persistence.rdb.read.containers import BLOBS, PARTS, unreadable
from persistence.rdb.read.partial import ModulePart, Part
from persistence.rdb.read.reader import Reader
from persistence.rdb.read.strings import StringFiller

_MAGIC = b"REDIS"
_FIRST_OPCODE = op.OP_SLOT_INFO
_NAMES = 10
_MAX_NUMBER = 2**31 - 1


class Decoder:
    """Decodes one RDB stream.

    `empty_keys` counts the keys whose collection was empty; as in Redis, they are left out.
    """

    def __init__(self, builders: Builders | None = None, verify_checksum: bool = True) -> None:
        self.builders = builders or Builders()
        self.verify_checksum = verify_checksum
        self.filler: StringFiller | None = None  # takes over what it can before it becomes an event
        self.version = 0
        self.ended = False
        self.empty_keys = 0
        self.empty_names: list[bytes] = []  # the first ten of them
        self.salvaged: list[Event] = []  # what was decoded of the piece in which an error was found
        self._reader = Reader()
        self._pieces: list[bytes] = []
        self._have = 0
        self._need = 0
        self._checksum = Checksum()
        self._part: Part | None = None
        self._kind = 0
        self._key = b""
        self._db = 0
        self._expire_ms = -1
        self._idle_s = -1
        self._freq = -1

    def feed(self, data: bytes) -> list[Event]:
        """Take in the next bytes; what they complete, in order.

        Raises:
            RdbError: the input is corrupt. The decoder is of no use afterwards.
        """
        self._pieces.append(data)
        self._have += len(data)
        if self._have < self._need or self.ended:
            return []
        r = self._reader
        r.buf = b"".join(self._pieces)
        r.pos = r.start = 0
        r.end = len(r.buf)
        events: list[Event] = []
        try:
            self._run(r, events)
            self._need = 0
        except Short as short:
            self._need = short.need - r.start
        except RdbError:
            self.salvaged = events
            raise
        done = r.start
        if not self.ended:
            self._checksum.update(r.buf[:done])
        r.base += done
        self._pieces = [r.buf[done:]] if done < r.end else []
        self._have = r.end - done
        return events

    def finish(self) -> None:
        """Say that no more input comes.

        Raises:
            RdbError: the end has not been reached.
        """
        if not self.ended:
            raise RdbError("Unexpected end of the input", self.offset + self._have)

    @property
    def offset(self) -> int:
        """How many bytes have been decoded."""
        return self._reader.base

    @property
    def rest(self) -> bytes:
        """What was fed beyond the end."""
        return b"".join(self._pieces)

    def _run(self, r: Reader, events: list[Event]) -> None:
        if self.version == 0:
            self._header(r, events)
        while not self.ended:
            r.start = r.pos
            part = self._part
            if part is not None:
                while part.left > 0:
                    part.step(r)
                    r.start = r.pos
                self._finish_part(part, events)
                continue
            filler = self.filler
            bare = self._expire_ms == -1 and self._idle_s == -1 and self._freq == -1
            if bare and filler is not None and filler.fill(r, self._db):
                r.start = r.pos
            first = r.byte()
            if first == op.TYPE_STRING:
                key = r.string()
                self._emit(events, STRING, key, self.builders.string(r.string()), None)
            elif first < _FIRST_OPCODE:
                self._value(r, first, events)
            elif first == op.OP_EXPIRETIME_MS:
                self._expire_ms = _expiry(r.milliseconds())
            else:
                self._opcode(r, first, events)
        r.start = r.pos

    def _header(self, r: Reader, events: list[Event]) -> None:
        magic = r.take(9)
        digits = magic[5:]
        if magic[:5] != _MAGIC or not digits.isdigit():
            raise RdbError("Wrong signature trying to load DB from file", 0)
        if not 1 <= int(digits) <= op.READ_VERSION:
            raise RdbError(f"Can't handle RDB format version {int(digits)}", 5)
        self.version = int(digits)
        events.append(Version(self.version))

    def _value(self, r: Reader, number: int, events: list[Event]) -> None:
        key = r.string()
        blob = BLOBS.get(number)
        if blob is not None:
            self._emit(events, blob[0], key, blob[1](r, self.builders, r.string()), None)
            return
        if number not in PARTS:
            raise unreadable(r, number)
        kind, begin = PARTS[number]
        self._part = begin(r, self.builders)
        self._kind = kind
        self._key = key

    def _finish_part(self, part: Part, events: list[Event]) -> None:
        self._part = None
        if not isinstance(part, ModulePart):
            ttls = self.builders.field_ttls(part.value)
            self._emit(events, self._kind, self._key, part.finish(self.builders), ttls)

    def _emit(
        self, events: list[Event], kind: int, key: bytes, value: Any, ttls: dict[bytes, int] | None
    ) -> None:
        if value is None:
            self.empty_keys += 1
            if len(self.empty_names) < _NAMES:
                self.empty_names.append(key)
        else:
            found = Key(self._db, key, kind, value, self._expire_ms, self._idle_s, self._freq)
            if ttls is not None:
                found.field_ttls = ttls
            events.append(found)
        self._expire_ms = self._idle_s = self._freq = -1

    def _opcode(self, r: Reader, code: int, events: list[Event]) -> None:
        if code == op.OP_SELECTDB:
            self._db = self._number(r, "database")
            events.append(SelectDb(self._db))
        elif code == op.OP_RESIZEDB:
            keys = r.length()
            events.append(ResizeDb(keys, r.length()))
        elif code == op.OP_AUX:
            name = r.string()
            events.append(Aux(name, r.string()))
        elif code == op.OP_FUNCTION2:
            events.append(Function(r.string()))
        elif code == op.OP_EXPIRETIME:
            self._expire_ms = _expiry(int.from_bytes(r.take(4), "little", signed=True) * 1000)
        elif code == op.OP_IDLE:
            self._idle_s = self._number(r, "idle time")
        elif code == op.OP_FREQ:
            self._freq = r.byte()
        elif code == op.OP_EOF:
            self._end(r, events)
        else:
            self._rare_opcode(r, code)

    def _number(self, r: Reader, what: str) -> int:
        number = r.length()
        if number > _MAX_NUMBER:
            raise r.error(f"No {what} is {number}")
        return number

    def _rare_opcode(self, r: Reader, code: int) -> None:
        if code == op.OP_FUNCTION_PRE_GA:
            raise r.error("Functions of a pre-release of Redis 7 cannot be read")
        if code == op.OP_SLOT_INFO:  # sizes of a cluster's slot: slot, keys, expiries
            for _ in range(3):
                r.length()
            return
        r.length()  # OP_MODULE_AUX: the module, then when it wrote this, as opcode and value
        r.length()
        r.length()
        self._part = ModulePart(1, None)

    def _end(self, r: Reader, events: list[Event]) -> None:
        announced = 0
        covered = r.pos
        if self.version >= op.CHECKSUM_SINCE:
            announced = int.from_bytes(r.take(8), "little")
        if announced and self.verify_checksum:
            self._checksum.update(r.buf[:covered])
            computed = self._checksum.value()
            if computed != announced:
                raise RdbError(
                    f"RDB CRC error: checksum {announced:x} expected, {computed:x} found", r.base + covered
                )
        self.ended = True
        events.append(End(announced))


def _expiry(when_ms: int) -> int:
    """A time of expiry: -1 is none, as in Redis; any other before 1970 has passed as surely as 0 has."""
    return when_ms if when_ms >= -1 else 0
