"""A point-in-time snapshot as commands: the base file of a log that doesn't begin with an RDB."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kvserver.engine.run.executor import Engine
from persistence.aof.rewrite import rewrite
from persistence.snapshot.snapshot import FROZEN, Snapshot, Walk

_BATCH = 32
"""Keys encoded between two looks at the clock."""


class CommandSnapshot(Snapshot):
    """The commands that make the data set of one instant, behind `head`."""

    def __init__(
        self, engine: Engine, clock: Callable[[], float], head: bytes, functions: Sequence[bytes] = ()
    ) -> None:
        super().__init__(engine, clock, [], (), compress=False, checksum=False)
        self._head = [head, *map(rewrite.function, functions)]

    def _begin_db(self, out: list[bytes], walk: Walk) -> None:
        out.append(rewrite.select_db(walk.index))

    def _list_part(self, out: list[bytes], walk: Walk) -> bool:
        return walk.list_part()

    def _encode_batch(self, out: list[bytes], walk: Walk) -> None:
        todo = walk.todo
        for _ in range(min(_BATCH, len(todo))):
            key, value = todo.popitem()
            self._save(out, key, value, walk.expiry(key))
            if self._pieces is not None:
                break

    def _save(self, out: list[bytes], key: bytes, value: Any, expire_ms: int) -> None:
        self.keys += 1
        if not isinstance(value, bytes | bytearray):
            self._pieces = rewrite.pieces(key, value, expire_ms)
            self._live = None if isinstance(value, FROZEN) else value
            return
        out.append(rewrite.string(key, bytes(value)))
        if expire_ms >= 0:
            out.append(rewrite.expiry(key, expire_ms))

    def _finish(self, out: list[bytes]) -> None:
        self.finished = True
        self.close()
