# cython: language_level=3, annotation_typing=False
"""A point-in-time snapshot of the keyspace, without a fork.

Theory of operation. The snapshot is of the instant at which it was opened. It walks each table in the order
of the reversed hash, the order in which tables are partitioned (see `kvserver.engine.keys.table`): everything
before `position` has been taken over, and neither growing nor shrinking of the table moves an entry across
it. A part is listed at once (`todo`) and encoded little by little; short strings may be encoded at once instead.

A key about to change is announced by its database first (`Db.hooks`). If the walker has it still to come,
its state is kept (`early`): a string needs no copy, an aggregate is frozen, which makes later writes copy
the parts they touch. The key is noted so that the walker leaves it out. A key that does not exist yet is
noted too: it is younger than the snapshot. So every key of the instant is written exactly once, as it was.

FLUSHALL and SWAPDB exchange whole tables; the snapshot goes on walking those it found when it was opened.

An aggregate is encoded in pieces. The walker freezes it only if its pieces outlast the slice of time.

`next_chunk` is pulled by whoever consumes the RDB stream: a file, a replica, both at their own speed. Several
snapshots may be open at once. The consumer calls `close` in any case. A subclass may encode otherwise: what it
replaces are `_begin_db`, `_list_part`, `_encode_batch`, `_save` and `_finish`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kvserver.engine.keys.access import Access
from kvserver.engine.keys.hash_expiry import present
from kvserver.engine.keys.keyspace import Db
from kvserver.engine.keys.table import CURSOR_BITS, FrozenTable, reverse_bits
from kvserver.engine.run.executor import Engine
from kvserver.engine.store.key_table import KeyTable
from kvserver.engine.values.stream_value import FrozenStream
from kvserver.engine.values.types import FrozenList, ZSetValue
from persistence.rdb.crc64 import Checksum
from persistence.rdb.opcodes import OP_EOF, TYPE_STRING, WRITE_VERSION, WRITE_VERSION_EXPIRING_FIELDS
from persistence.rdb.write import encoder, writer
from persistence.rdb.write.strings import encode_part

_END = 1 << CURSOR_BITS
_BATCH = 32
"""Keys encoded between two looks at the clock."""
_SLICE = 1 << 16
"""Bytes of a long string given out at once."""


class FrozenZSet:
    """What a sorted set held when it was frozen: its order."""

    def __init__(self, value: ZSetValue) -> None:
        self.order = value.order.clone()
        self._encoding = value.encoding()

    def __len__(self) -> int:
        return len(self.order)

    def kind(self) -> bytes:
        """The frozen value's type."""
        return b"zset"

    def encoding(self) -> bytes:
        """The frozen value's representation."""
        return self._encoding


FROZEN = (FrozenTable, FrozenList, FrozenZSet, FrozenStream)
"""The unchanging views that `frozen` gives."""


def frozen(value: Any) -> Any:
    """An unchanging view of an aggregate; from now on, writes to it copy what they touch."""
    return FrozenZSet(value) if type(value) is ZSetValue else value.freeze()


class Walk:
    """One database's tables on their way into the snapshot."""

    def __init__(self, db: Db) -> None:
        self.index = db.index
        self.keys: KeyTable = db.keys
        self.size = len(db.keys)
        self.volatile = db.keys.expiring
        self.position = 0
        self.todo: dict[bytes, Any] = {}
        self.noted: set[bytes] = set()
        self.early: deque[tuple[bytes, Any, int]] = deque()
        self.access: Access | None = db.access  # of now, not of the instant: how keys are used is no data

    def keep(self, key: bytes) -> int:
        """Keep the state of a key about to change, if it is still to come; the bytes which that costs."""
        if reverse_bits(hash(key)) < self.position:
            value = self.todo.pop(key, None)
        elif key in self.noted:
            return 0
        else:
            self.noted.add(key)
            value = self.keys.get(key)
        if value is None:
            return 0
        expiry = self.expiry(key)
        if type(value) is bytearray:
            value = bytes(value)
        elif type(value) is not bytes:
            self.early.append((key, frozen(value), expiry))
            return len(key)
        self.early.append((key, value, expiry))
        return len(key) + len(value)

    def expiry(self, key: bytes) -> int:
        """When the key expires, or -1."""
        return self.keys.expiry(key)

    def prefix(self, key: bytes, expire_ms: int) -> bytes:
        """What stands before a key: when it expires, and how it is used, while eviction goes by that."""
        access = self.access
        if access is None:
            return encoder.key_prefix(expire_ms)
        if access.clock.lfu:
            return encoder.key_prefix(expire_ms, -1, access.frequency(key))
        return encoder.key_prefix(expire_ms, access.idle_s(key))

    def whole_part(self) -> int:
        """The number of the next part if all of it is still to come as it is, without notes on use; else -1."""
        if self.position >= _END or self.noted or self.access is not None:
            return -1
        number, first, behind = self.keys.interval(self.position)
        if first != self.position:
            return -1
        self.position = behind
        return number

    def list_part(self) -> bool:
        """Put the next part's entries into `todo`; False behind the last part."""
        if self.position >= _END:
            return False
        number, first, behind = self.keys.interval(self.position)
        part = self.keys.part(number)
        if first == self.position and not self.noted:
            self.todo = part
        else:
            # A part which grew backwards by a merge also holds what has been taken over already.
            position, noted = self.position, self.noted
            self.todo = {
                key: value
                for key, value in part.items()
                if key not in noted and reverse_bits(hash(key)) >= position
            }
        self.position = behind
        return True


class Snapshot:
    """The RDB stream of one instant; without `data` it holds no keys. `offset` is the command log's at that instant."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float],
        aux: list[tuple[bytes, bytes]],
        functions: Sequence[bytes] = (),
        compress: bool = True,
        checksum: bool = True,
        data: bool = True,
    ) -> None:
        dbs = engine.dbs if data else []
        self.offset = engine.log.offset
        self.keys = 0  # written so far
        self.total = sum(len(db.keys) for db in dbs)
        self.kept_bytes = 0  # of old strings that were kept because their keys were written to
        self.finished = False
        self._state = engine.state
        self._emptied = engine.services.signals.db_emptied
        self._held: list[KeyTable] = []  # tables that were flushed, to be freed when this is closed
        self._dbs = list(dbs)
        self._clock = clock
        self._compress = compress
        self._checksum = Checksum() if checksum else None
        self._walks = {db.keys: Walk(db) for db in dbs if len(db.keys)}
        self._coming = list(self._walks.values())
        self._walk: Walk | None = None
        self._pieces: Iterator[bytes] | None = None
        self._live: Any = None  # the aggregate whose pieces are being written, while it isn't frozen
        version = WRITE_VERSION_EXPIRING_FIELDS if any(map(present, dbs)) else WRITE_VERSION
        self._head = [encoder.header(aux, version), *[encoder.function(code, compress) for code in functions]]
        for db in dbs:
            db.hooks.append(self.before_write)
        if dbs:
            self._emptied.connect(self.on_flush)

    def close(self) -> None:
        """Stop watching the databases; may be called at any time and more than once."""
        for db in self._dbs:
            if self.before_write in db.hooks:
                db.hooks.remove(self.before_write)
        if self._dbs:
            self._emptied.disconnect(self.on_flush)
            self._state.trash += self._held
        self._dbs = []
        self._held = []
        self._walks = {}
        self._coming = []
        self._walk = None
        self._pieces = None

    def before_write(self, db: Db, key: bytes) -> None:
        """The hook of the databases."""
        walk = self._walks.get(db.keys)
        if walk is not None:
            self.kept_bytes += walk.keep(key)

    def on_flush(self, db: Db) -> None:
        """A database was emptied: its tables must not be freed while they are being walked."""
        trash = self._state.trash
        for walk in self._walks.values():
            if walk.keys in trash:
                trash.remove(walk.keys)
                self._held.append(walk.keys)

    def next_chunk(self, budget_s: float = 0.001, max_bytes: int = 1 << 18) -> bytes | None:
        """The next bytes of the stream, about `max_bytes` at most; None behind the end.

        Works about `budget_s` seconds; the chunk is empty when they brought forth nothing.
        """
        if self.finished:
            return None
        deadline = self._clock() + budget_s
        out = self._head
        self._head = []
        size = 0
        counted = 0
        while size < max_bytes:
            if not self._step(out):
                self._finish(out)
                break
            while counted < len(out):
                size += len(out[counted])
                counted += 1
            if self._clock() > deadline:
                break
        if self._live is not None:
            frozen(self._live)
            self._live = None
        chunk = b"".join(out)
        if self._checksum is not None and not self.finished:
            self._checksum.update(chunk)
        return chunk

    def _step(self, out: list[bytes]) -> bool:
        """Do a little work; False when all is done."""
        if self._pieces is not None:
            piece = next(self._pieces, None)
            if piece is None:
                self._pieces = None
                self._live = None
            else:
                out.append(piece)
            return True
        walk = self._walk
        if walk is None:
            return self._next_walk(out)
        if walk.early:
            key, value, expire_ms = walk.early.popleft()
            self._save(out, key, value, expire_ms)
        elif walk.todo:
            self._encode_batch(out, walk)
        elif not self._list_part(out, walk):
            self._walks.pop(walk.keys, None)
            self._walk = None
        return True

    def _next_walk(self, out: list[bytes]) -> bool:
        if not self._coming:
            return False
        self._walk = walk = self._coming.pop(0)
        self._begin_db(out, walk)
        return True

    def _begin_db(self, out: list[bytes], walk: Walk) -> None:
        out.append(encoder.select_db(walk.index, walk.size, walk.volatile))

    def _list_part(self, out: list[bytes], walk: Walk) -> bool:
        """Go on to the next part; False behind the last one. What is encoded at once needn't be listed."""
        number = walk.whole_part()
        if number < 0:
            return walk.list_part()
        records, count, walk.todo = encode_part(walk.keys, number, self._compress)
        out.append(records)
        self.keys += count
        return True

    def _encode_batch(self, out: list[bytes], walk: Walk) -> None:
        todo = walk.todo
        compress = self._compress
        work = writer.WORK_BYTES
        for _ in range(min(_BATCH, len(todo))):
            key, value = todo.popitem()
            if type(value) is bytes and len(value) <= writer.MAX_COMPRESSED:
                expire_ms = walk.expiry(key)
                if expire_ms >= 0 or walk.access is not None:
                    out.append(walk.prefix(key, expire_ms))
                out.append(encoder.string_key(key, value, compress))
                self.keys += 1
                work -= len(value)
                if work < 0:
                    break
            else:
                self._save(out, key, value, walk.expiry(key))
                break

    def _save(self, out: list[bytes], key: bytes, value: Any, expire_ms: int) -> None:
        """Write any value; a big one leaves its pieces to the steps that follow."""
        compress = self._compress
        self.keys += 1
        walk = self._walk
        assert walk is not None
        out.append(walk.prefix(key, expire_ms))
        if isinstance(value, bytes | bytearray):
            if len(value) <= writer.MAX_COMPRESSED:
                out.append(encoder.string_key(key, bytes(value), compress))
            else:
                out.append(b"%c%b%b" % (TYPE_STRING, encoder.string(key), encoder.length(len(value))))
                self._pieces = _slices(bytes(value))
            return
        number = writer.type_number(value)
        out.append(b"%c%b" % (number, encoder.string(key)))
        packed = writer.whole(number, value, compress)
        if packed is not None:
            out.append(packed)
        else:
            self._pieces = writer.pieces(number, value, writer.MAX_COMPRESSED if compress else 0)
            self._live = None if isinstance(value, FROZEN) else value

    def _finish(self, out: list[bytes]) -> None:
        out.append(b"%c" % OP_EOF)
        checksum = 0
        if self._checksum is not None:
            self._checksum.update(b"".join(out))
            checksum = self._checksum.value()
        out.append(encoder.footer(checksum))
        self.finished = True
        self.close()


def _slices(raw: bytes) -> Iterator[bytes]:
    for i in range(0, len(raw), _SLICE):
        yield raw[i : i + _SLICE]
