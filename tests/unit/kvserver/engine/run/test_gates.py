"""The gates answer in Redis's order, and only when something calls for them."""

from __future__ import annotations

import pytest

from kvserver.engine.command_table import row as row_module
from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.command_table.row import ANY, DENYOOM, NOT_LOADING, WRITE, Row
from kvserver.engine.commands import all_handlers
from kvserver.engine.run import gates, session as session_module
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import (
    ATT_INTERNAL,
    ATT_UNAUTHENTICATED,
    DECLARED,
    FIRST_NEED,
    FIRST_WRITE,
    SCRIPT,
    NoPort,
    Session,
)

NO = b"-NO way\r\n"


@pytest.fixture
def engine() -> Engine:
    return Engine(2, build_rows(all_handlers()))


@pytest.fixture
def client(engine: Engine) -> Session:
    return engine.open_session(NoPort())


def do(c: Session, line: str) -> bytes | None:
    reply: bytes | None = c.engine.execute(c, line.encode().split())
    return reply


def no_writes(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """A gate of some other package."""
    return NO if row.flags & WRITE else gates.PASS


FLAGS = {
    getattr(row_module, name): name
    for name in (
        "WRITE", "DENYOOM", "ADMIN", "MAY_REPLICATE", "NOT_LOADING", "NOT_STALE", "NOT_BUSY", "ANY", "TELLS_DISK",
    )
}
ATTENTION = {
    value: name.removeprefix("ATT_") for name, value in vars(session_module).items() if name.startswith("ATT_")
}
CONTEXTS = {
    getattr(session_module, name): name
    for name in ("CLIENT", "EXEC", "SCRIPT", "FIRST_WRITE", "FIRST_NEED", "DECLARED", "REPLAY", "STREAM")
}

WHOLE_TABLE = """
auth         | -                        | UNAUTHENTICATED | CLIENT
no-multi     | -                        | MULTI           | CLIENT
acl          | -                        | RESTRICTED      | CLIENT SCRIPT
exec         | -                        | MULTI           | CLIENT
exec-scripts | -                        | MULTI           | CLIENT
memory       | DENYOOM MAY_REPLICATE    | MULTI TRACKING  | CLIENT EXEC FIRST_NEED DECLARED
tracking     | -                        | TRACKING        | CLIENT
disk         | WRITE TELLS_DISK         | -               | CLIENT EXEC FIRST_WRITE DECLARED
aof          | WRITE TELLS_DISK         | -               | CLIENT EXEC FIRST_WRITE DECLARED
few-replicas | WRITE                    | -               | CLIENT EXEC FIRST_WRITE DECLARED
unreplicated | WRITE                    | -               | CLIENT EXEC FIRST_WRITE DECLARED
readonly     | WRITE                    | -               | CLIENT EXEC FIRST_WRITE DECLARED
quorum       | WRITE                    | -               | CLIENT EXEC FIRST_WRITE DECLARED
quorum-guard | ADMIN                    | -               | CLIENT EXEC SCRIPT
subscriber   | -                        | SUBSCRIBED      | CLIENT
stale        | NOT_STALE                | -               | CLIENT EXEC SCRIPT DECLARED
starting     | NOT_LOADING              | -               | CLIENT EXEC
loading      | NOT_LOADING              | -               | CLIENT EXEC
busy         | ADMIN NOT_BUSY           | -               | CLIENT
quorum-read  | -                        | LINEAR          | CLIENT
pause        | WRITE MAY_REPLICATE ANY  | MULTI           | CLIENT
multi        | -                        | MULTI           | CLIENT REPLAY STREAM
monitor      | ANY                      | -               | CLIENT SCRIPT
"""


def words(names: dict[int, str], bits: int) -> str:
    """The names of bits."""
    assert not bits & ~sum(names)
    return " ".join(name for bit, name in names.items() if bits & bit) or "-"


def test_these_are_all_gates_in_this_order() -> None:
    """Which gates there are, in which order they answer, what makes them look and where they are asked: no others."""
    shown = "\n".join(
        f"{gate.name:12} | {words(FLAGS, gate.flags):24} | {words(ATTENTION, gate.attention):15} "
        f"| {words(CONTEXTS, gate.asked)}"
        for gate in gates.build()
    )
    assert shown == WHOLE_TABLE.strip()


def test_a_gate_is_in_the_table_or_nowhere(engine: Engine) -> None:
    """Nobody adds a gate that the table doesn't show, or puts one in force for flags that it doesn't name."""
    with pytest.raises(KeyError):
        engine.set_gate("nosuch", no_writes)
    with pytest.raises(KeyError):
        engine.forbid("nosuch", WRITE)
    with pytest.raises(AssertionError):
        engine.forbid("readonly", ANY)


# A node's state, and who is refused a write by it in which context.
@pytest.mark.parametrize(
    ("name", "mask"),
    [("disk", WRITE), ("aof", WRITE), ("few-replicas", WRITE), ("readonly", WRITE), ("loading", NOT_LOADING)],
)
def test_what_was_accepted_elsewhere_passes(engine: Engine, client: Session, name: str, mask: int) -> None:
    """What keeps clients from writing keeps out neither the primary's stream nor the append-only file."""
    engine.set_gate("aof", no_writes)
    engine.forbid(name, mask)
    refused = do(client, "SET k v") or b""
    assert refused.startswith(b"-")
    for kind in ("primary", "loader"):
        session = engine.internal_session(kind, NoPort())
        assert do(session, "SET k v") == b"+OK\r\n"
        assert do(session, "MULTI") == b"+OK\r\n"
        assert do(session, "SET k w") == b"+QUEUED\r\n"
        assert do(session, "EXEC") == b"*1\r\n+OK\r\n"


@pytest.mark.parametrize("name", ["disk", "aof", "few-replicas", "readonly"])
def test_exec_is_refused_for_what_has_changed_since(engine: Engine, client: Session, name: str) -> None:
    """A transaction queued in good times is refused as a whole when its writes would be refused by now."""
    engine.set_gate("aof", no_writes)
    do(client, "MULTI")
    assert do(client, "SET k v") == b"+QUEUED\r\n"
    engine.forbid(name, WRITE)
    assert (do(client, "EXEC") or b"").startswith(b"-EXECABORT Transaction discarded because of: ")
    assert client.queue is None


def test_a_script_is_asked_at_its_first_write(engine: Engine) -> None:
    """What guards writes is asked before a script's first one: what has begun may finish."""
    engine.forbid("readonly", WRITE)
    script = engine.internal_session("script", NoPort())
    script.attention = 0
    row = engine.rows[b"SET"]
    args = [b"SET", b"k", b"v"]
    assert engine.ask(script, row, args, SCRIPT | FIRST_WRITE | FIRST_NEED) == gates.READONLY
    assert engine.ask(script, row, args, SCRIPT) == gates.PASS
    assert engine.ask(script, row, args, DECLARED) == gates.READONLY
    engine.forbid("readonly", 0)
    engine.forbid("memory", DENYOOM)
    engine.set_gate("memory", no_writes)
    assert engine.ask(script, row, args, SCRIPT | FIRST_WRITE | FIRST_NEED) == NO
    assert engine.ask(script, row, args, SCRIPT | FIRST_WRITE) == gates.PASS  # flagged allow-oom


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
    engine.set_gate("readonly", no_writes)
    assert do(client, "SET k v") == b"+OK\r\n"
    engine.forbid("readonly", WRITE)
    assert do(client, "SET k w") == NO
    assert do(client, "GET k") == b"$1\r\nv\r\n"
    engine.forbid("readonly", 0)
    assert engine.deny == 0
    assert do(client, "SET k w") == b"+OK\r\n"


def test_what_is_refused_while_queueing_breaks_the_transaction(engine: Engine, client: Session) -> None:
    """A request that a gate refuses inside MULTI isn't queued, and EXEC discards the rest."""
    engine.set_gate("readonly", no_writes)
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
