"""An engine on a bench: one client of it, and all that it logs and tells."""

from __future__ import annotations

import random
from collections.abc import Sequence

from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.commands import all_handlers
from kvserver.engine.keys.keyspace import OBSERVE_NOTIFY, Db
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import NoPort, Session
from kvserver.wire.resp import Parser


class Recorder:
    """Executes lines; what came of those after `setup` is in `effects()` and `events`.

    With `now_ms` the clock stands still.
    """

    def __init__(self, setup: Sequence[str], now_ms: int | None = None) -> None:
        self.engine = Engine(2, build_rows(all_handlers()))
        self.engine.state.rng = random.Random(1)
        if now_ms is not None:
            self.engine.state.now_ms = now_ms
            self.engine.state.wall_us = lambda: now_ms * 1000
        self.client: Session = self.engine.open_session(NoPort())
        for line in setup:
            self.do(line)
        self.log: list[bytes] = []
        self.events: list[str] = []
        self.engine.log.attach(self.log.append)
        self.engine.log.selected = 0
        self.engine.state.notify_flags = 0x7FFF
        self.engine.state.on_event = self._on_event
        self.engine.dbs[0].observers |= OBSERVE_NOTIFY

    def _on_event(self, db: Db, key: bytes, event_class: int, event: bytes) -> None:
        if event not in (b"new", b"keymiss"):
            self.events.append(f"{event.decode()} {key.decode()}")

    def do(self, line: str, client: Session | None = None) -> bytes | None:
        return self.engine.execute(client or self.client, line.encode().split())

    def effects(self) -> list[str]:
        """The commands in the log so far, words joined by spaces."""
        self.engine.log.flush()
        parser = Parser()
        parser.feed(b"".join(self.log))
        found = []
        while (request := parser.next()) is not None:
            found.append(b" ".join(request).decode())
        return found
