"""COMMAND and its subcommands: our replies beside a real server's, over the whole catalogue."""

from collections.abc import Iterator
from typing import Any

import hiredis
import pytest
from support import Server, start_redis

from kvserver.engine.command_table import catalog
from kvserver.engine.command_table.row import Row, flag_bits
from kvserver.engine.commands.server.command import HANDLERS
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import Session
from kvserver.wire.resp import encode_request

SENTENCES = {"summary", "complexity", "notes", "replaced_by"}


@pytest.fixture(scope="module")
def peer() -> Iterator[Server]:
    with start_redis() as server:
        yield server


@pytest.fixture(scope="module", params=[2, 3])
def session(request: pytest.FixtureRequest) -> Session:
    """A session, RESP2 or RESP3, of an engine that has a row for each command of Redis 7.0."""
    engine = Engine(1, rows())
    opened: Session = engine.open_session(None)
    opened.resp = request.param
    return opened


def nothing(c: Any, a: list[bytes]) -> bytes:
    return b"+OK\r\n"


def rows() -> dict[bytes, Row]:
    made: dict[str, Row] = {}
    known = {name: facts for name, facts in catalog.load().items() if name not in catalog.later()}
    for name, facts in known.items():
        handler = HANDLERS.get(name, nothing)
        made[name] = Row(name.lower(), handler, facts.arity, flag_bits(facts.flags), facts)
    for name, facts in known.items():
        if facts.subcommands:
            subs = [sub for sub in facts.subcommands if sub in made]
            made[name].subs = {sub.partition("|")[2].encode(): made[sub] for sub in subs}
    return {name.encode(): row for name, row in made.items() if "|" not in name}


def parsed(data: bytes) -> Any:
    reader = hiredis.Reader(encoding="utf-8")
    reader.feed(data)
    return reader.gets()


def ours(session: Session, *args: str) -> Any:
    reply = session.engine.execute(session, [arg.encode() for arg in args])
    assert reply is not None
    return parsed(reply)


def theirs(peer: Server, session: Session, *args: str) -> Any:
    reader = hiredis.Reader(encoding="utf-8")
    with peer.connect() as connection:
        connection.sendall(encode_request([b"HELLO", b"%d" % session.resp]))
        connection.sendall(encode_request([arg.encode() for arg in args]))
        replies: list[Any] = []
        while len(replies) < 2:
            reply = reader.gets()
            if reply is False:
                reader.feed(connection.recv(65536))
            else:
                replies.append(reply)
    return replies[1]


def facts_of(reply: Any) -> Any:
    """A reply without the sentences, and without the order where Redis's own is that of a hash table."""
    if isinstance(reply, dict):
        return sorted((key, facts_of(value)) for key, value in reply.items() if key not in SENTENCES)
    if not isinstance(reply, list):
        return reply
    if len(reply) % 2 == 0 and reply and reply[0] in ("summary", "flags", "notes"):
        pairs = zip(reply[::2], reply[1::2], strict=True)
        return [(key, facts_of(value)) for key, value in pairs if key not in SENTENCES]
    if len(reply) == 2 and str(reply[0])[:1].isdigit():
        return reply[0]  # a version and what it changed
    return sorted((facts_of(item) for item in reply), key=repr)


@pytest.mark.parametrize("args", [("COMMAND",), ("COMMAND", "INFO"), ("COMMAND", "DOCS")])
def test_the_whole_catalogue_reads_alike(peer: Server, session: Session, args: tuple[str, ...]) -> None:
    """Every command known to Redis is described as Redis describes it, in both protocols."""
    known = {name.lower() for name in ours(session, "COMMAND", "LIST")}
    assert known >= set(theirs(peer, session, "COMMAND", "LIST"))
    if "DOCS" in args or "INFO" in args:
        args = (*args, *theirs(peer, session, "COMMAND", "LIST"))
    assert facts_of(ours(session, *args)) == facts_of(theirs(peer, session, *args))


REQUESTS = [
    "COMMAND INFO nosuch get config|get config|nosuch a|b|c",
    "COMMAND DOCS nosuch",
    "COMMAND LIST FILTERBY PATTERN xre*",
    "COMMAND LIST FILTERBY pattern XINFO*",
    "COMMAND LIST FILTERBY ACLCAT hyperloglog",
    "COMMAND LIST FILTERBY ACLCAT HyperLogLog",
    "COMMAND LIST FILTERBY ACLCAT nosuch",
    "COMMAND LIST FILTERBY MODULE nosuch",
    "COMMAND LIST FILTERBY nosuch x",
    "COMMAND LIST FILTERBY",
    "COMMAND LIST x",
    "COMMAND COUNT x",
    "COMMAND nosuch",
    "COMMAND GETKEYS",
    "COMMAND GETKEYS get k",
    "COMMAND GETKEYS get k k",
    "COMMAND GETKEYS nosuch k",
    "COMMAND GETKEYS ping x",
    "COMMAND GETKEYS config get x",
    "COMMAND GETKEYS config nosuch x",
    "COMMAND GETKEYS memory usage k",
    "COMMAND GETKEYS eval x 0",
    "COMMAND GETKEYS eval x 2 a b c",
    "COMMAND GETKEYS zunionstore d 9 a b",
    "COMMAND GETKEYSANDFLAGS set k v get",
    "COMMAND GETKEYSANDFLAGS eval x 0",
    "COMMAND GETKEYSANDFLAGS sort k by x store d",
]


@pytest.mark.parametrize("line", REQUESTS)
def test_replies_and_errors_are_alike(peer: Server, session: Session, line: str) -> None:
    """Names that are none, malformed requests and found keys are answered as Redis answers them."""
    mine, other = ours(session, *line.split()), theirs(peer, session, *line.split())
    if isinstance(other, hiredis.ReplyError):
        assert str(mine) == str(other)
    else:
        assert facts_of(mine) == facts_of(other)
