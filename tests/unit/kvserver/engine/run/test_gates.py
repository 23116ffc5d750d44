"""The gates answer in Redis's order, and only when something calls for them."""

from __future__ import annotations

import pytest

from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.command_table.row import WRITE, Row
from kvserver.engine.commands import all_handlers
from kvserver.engine.run import gates
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import ATT_INTERNAL, ATT_UNAUTHENTICATED, NoPort, Session

NO = b"-NO way\r\n"


@pytest.fixture
def engine() -> Engine:
    made = Engine(2, build_rows(all_handlers()))
    gates.install(made)
    return made


@pytest.fixture
def client(engine: Engine) -> Session:
    return engine.open_session(NoPort())


def do(c: Session, line: str) -> bytes | None:
    reply: bytes | None = c.engine.execute(c, line.encode().split())
    return reply


def no_writes(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """A gate of some other package."""
    return NO if row.flags & WRITE else gates.PASS


def test_they_stand_in_order(engine: Engine) -> None:
    """However they are plugged in, gates are asked in the order of their numbers."""
    engine.add_gate(gates.ORDER_MEMORY, "memory", no_writes)
    orders = [order for order, _, _ in engine.gates]
    assert orders == sorted(orders)


def test_authentication_comes_before_everything(engine: Engine, client: Session) -> None:
    """A stranger hears NOAUTH whatever else forbids the request, unknown names and wrong numbers excepted."""
    client.attend(ATT_UNAUTHENTICATED, True)
    gates.set_loading(engine, True)
    assert do(client, "GET k") == gates.NOAUTH
    assert do(client, "MULTI") == gates.NOAUTH
    assert str(do(client, "NOSUCH")).startswith('b"-ERR unknown command')
    assert str(do(client, "GET")).startswith('b"-ERR wrong number')


def test_loading_lets_through_what_needs_no_data(engine: Engine, client: Session) -> None:
    """While the data set is loaded its commands are refused, and the loader's own are not."""
    gates.set_loading(engine, True)
    assert do(client, "GET k") == gates.LOADING_REPLY
    assert do(client, "MULTI") == b"+OK\r\n"
    assert do(client, "DISCARD") == b"+OK\r\n"
    loader = engine.internal_session("loader", NoPort())
    assert loader.attention & ATT_INTERNAL
    assert do(loader, "SET k v") == b"+OK\r\n"
    gates.set_loading(engine, False)
    assert do(client, "GET k") == b"$1\r\nv\r\n"


def test_a_mask_calls_them(engine: Engine, client: Session) -> None:
    """A gate is asked about commands with a flag of its mask only, and no more once the mask is taken back."""
    engine.add_gate(gates.ORDER_READONLY, "readonly", no_writes)
    assert do(client, "SET k v") == b"+OK\r\n"
    engine.forbid("readonly", WRITE)
    assert do(client, "SET k w") == NO
    assert do(client, "GET k") == b"$1\r\nv\r\n"
    engine.forbid("readonly", 0)
    assert engine.deny == 0
    assert do(client, "SET k w") == b"+OK\r\n"


def test_what_is_refused_while_queueing_breaks_the_transaction(engine: Engine, client: Session) -> None:
    """A request that a gate refuses inside MULTI isn't queued, and EXEC discards the rest."""
    engine.add_gate(gates.ORDER_READONLY, "readonly", no_writes)
    engine.forbid("readonly", WRITE)
    assert do(client, "MULTI") == b"+OK\r\n"
    assert do(client, "GET k") == b"+QUEUED\r\n"
    assert do(client, "SET k v") == NO
    assert do(client, "EXEC") == b"-EXECABORT Transaction discarded because of previous errors.\r\n"


def test_subscribers_of_resp2_are_restricted(engine: Engine, client: Session) -> None:
    """With RESP2 a subscriber hears a refusal for most commands; with RESP3 none."""
    do(client, "SUBSCRIBE a")
    assert str(do(client, "GET k")).startswith("b\"-ERR Can't execute 'get'")
    assert do(client, "PING") == b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"
    client.resp = 3
    assert do(client, "GET k") == b"_\r\n"


def test_refusals_are_counted(engine: Engine, client: Session) -> None:
    """A refused request counts as rejected, not as a call, and by its error's code."""
    client.attend(ATT_UNAUTHENTICATED, True)
    do(client, "GET k")
    row = engine.rows[b"GET"]
    assert (row.calls, row.rejected) == (0, 1)
    assert engine.errors == {"NOAUTH": 1}
