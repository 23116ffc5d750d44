"""An engine with scripts, without a network."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kvserver.engine import commands
from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import NoPort, Session
from kvserver.scripting import runtime
from kvserver.scripting.eval_commands import HANDLERS
from kvserver.scripting.host import Host

Run = Callable[..., bytes]


def no_clock() -> float:
    return 0.0


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts that take all they can get take less, and so less time."""
    monkeypatch.setattr(runtime, "LIMIT", 64 << 20)
    monkeypatch.setattr(runtime, "COLLECT_AT", 8 << 20)


@pytest.fixture
def engine() -> Engine:
    engine = Engine(16, {})
    rows = build_rows({**commands.all_handlers(), **HANDLERS})
    engine.rows.update(rows)
    engine.rows.update({name.lower(): row for name, row in rows.items()})
    engine.services.scripting = Host(engine, no_clock)
    return engine


@pytest.fixture
def client(engine: Engine) -> Session:
    return engine.open_session(NoPort())


@pytest.fixture
def run(engine: Engine, client: Session) -> Run:
    def run(source: str, *args: bytes, keys: int = 0) -> bytes:
        reply = engine.execute(client, [b"EVAL", source.encode(), b"%d" % keys, *args])
        assert reply is not None
        return reply

    return run
