"""Client-side caching through real connections: invalidations arrive, in order, at whom they concern."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from support import Server


class Wire:
    """A connection that reads what the server sends, byte for byte."""

    def __init__(self, port: int, proto: int = 2) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.file = self.socket.makefile("rb")
        self.ask("HELLO", str(proto))
        self.id = self.ask("CLIENT", "ID")

    def send(self, *args: str) -> None:
        """Send one request."""
        parts = [f"*{len(args)}\r\n"] + [f"${len(arg)}\r\n{arg}\r\n" for arg in args]
        self.socket.sendall("".join(parts).encode())

    def ask(self, *args: str) -> object:
        """Send one request and read what comes next."""
        self.send(*args)
        return self.read()

    def read(self) -> object:
        """Read one reply or message; a push is a list that begins with ">"."""
        line = self.file.readline()[:-2].decode()
        kind, rest = line[0], line[1:]
        if kind in "+-":
            return line
        if kind == ":":
            return int(rest)
        if kind == "_" or rest == "-1":
            return None
        if kind == "$":
            return self.file.read(int(rest) + 2)[:-2].decode()
        items = [self.read() for _ in range(int(rest) * (2 if kind == "%" else 1))]
        return [">", *items] if kind == ">" else items

    def close(self) -> None:
        """Leave."""
        self.socket.close()


def invalidation(*keys: str) -> list[object]:
    return [">", "invalidate", list(keys)]


@pytest.fixture
def writer(node: Server) -> Iterator[Wire]:
    wire = Wire(node.port)
    wire.ask("FLUSHALL")
    yield wire
    wire.close()


@pytest.fixture
def reader(node: Server, writer: Wire) -> Iterator[Wire]:
    wire = Wire(node.port, 3)
    yield wire
    wire.close()


def test_a_key_that_was_read_is_told_once(reader: Wire, writer: Wire) -> None:
    """The first change of a key that was read is pushed, the next ones aren't, nor keys never read."""
    assert reader.ask("CLIENT", "TRACKING", "ON") == "+OK"
    reader.ask("MGET", "a", "b")
    writer.ask("MSET", "a", "1", "other", "2")
    assert reader.read() == invalidation("a")
    writer.ask("SET", "a", "2")
    writer.ask("DEL", "other")
    writer.ask("SET", "b", "1")
    assert reader.read() == invalidation("b")


def test_own_changes_follow_the_reply(reader: Wire) -> None:
    """What a request or a transaction invalidates for its own client comes behind its reply; NOLOOP hides it."""
    reader.ask("CLIENT", "TRACKING", "ON")
    reader.ask("GET", "a")
    assert reader.ask("SET", "a", "1") == "+OK"
    assert reader.read() == invalidation("a")
    for args in (("MULTI",), ("GET", "a"), ("SET", "a", "2"), ("SET", "b", "2")):
        reader.ask(*args)
    assert reader.ask("EXEC") == ["1", "+OK", "+OK"]
    assert reader.read() == invalidation("a")
    reader.ask("GET", "a")
    reader.ask("CLIENT", "TRACKING", "ON", "NOLOOP")
    reader.ask("SET", "a", "3")
    assert reader.ask("PING") == "+PONG"


def test_a_resp2_client_redirects(node: Server, writer: Wire) -> None:
    """With RESP2 messages go to the named client's channel; a flush is told once, as a null."""
    target = Wire(node.port)
    target.ask("SUBSCRIBE", "__redis__:invalidate")
    reader = Wire(node.port)
    assert reader.ask("CLIENT", "TRACKING", "ON", "REDIRECT", str(target.id)) == "+OK"
    assert reader.ask("CLIENT", "GETREDIR") == target.id
    reader.ask("GET", "a")
    writer.ask("SET", "a", "1")
    assert target.read() == ["message", "__redis__:invalidate", ["a"]]
    writer.ask("FLUSHALL")
    assert target.read() == ["message", "__redis__:invalidate", None]
    reader.ask("GET", "b")
    writer.ask("SET", "b", "1")
    assert target.read() == ["message", "__redis__:invalidate", ["b"]]
    target.close()
    reader.close()


def test_a_broken_redirection_is_told(node: Server, reader: Wire, writer: Wire) -> None:
    """When the client redirected to is gone, the one that tracks learns it."""
    target = Wire(node.port)
    reader.ask("CLIENT", "TRACKING", "ON", "REDIRECT", str(target.id))
    reader.ask("GET", "a")
    writer.ask("CLIENT", "KILL", "ID", str(target.id))
    writer.ask("SET", "a", "1")
    assert reader.read() == [">", "tracking-redir-broken", target.id]
    info = reader.ask("CLIENT", "TRACKINGINFO")
    assert isinstance(info, list)
    assert "broken_redirect" in info[1]
    target.close()


def test_broadcast_by_prefix(reader: Wire, writer: Wire) -> None:
    """In broadcast mode the changed keys of a prefix come together, read or not."""
    assert reader.ask("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "user:", "PREFIX", "item:") == "+OK"
    writer.ask("MSET", "user:2", "x", "user:1", "x", "else", "x", "item:1", "x")
    assert reader.read() == invalidation("item:1")
    assert reader.read() == invalidation("user:1", "user:2")
    reply = reader.ask("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "user:x")
    assert str(reply).startswith("-ERR Prefix 'user:x' overlaps with an existing prefix 'user:'")


def test_opting_in_and_out(reader: Wire, writer: Wire) -> None:
    """With OPTIN only requests behind CLIENT CACHING YES are tracked, with OPTOUT all but those behind NO."""
    reader.ask("CLIENT", "TRACKING", "ON", "OPTIN")
    reader.ask("GET", "a")
    reader.ask("CLIENT", "CACHING", "YES")
    reader.ask("GET", "b")
    writer.ask("MSET", "a", "1", "b", "1")
    assert reader.read() == invalidation("b")
    assert str(reader.ask("CLIENT", "CACHING", "NO")).startswith("-ERR CLIENT CACHING NO is only valid")
    reader.ask("CLIENT", "TRACKING", "OFF")
    reader.ask("CLIENT", "TRACKING", "ON", "OPTOUT")
    reader.ask("CLIENT", "CACHING", "NO")
    reader.ask("GET", "a")
    reader.ask("GET", "b")
    writer.ask("MSET", "a", "1", "b", "1")
    assert reader.read() == invalidation("b")


def test_the_table_is_bounded(reader: Wire, writer: Wire) -> None:
    """Keys beyond tracking-table-max-keys are forgotten, and told."""
    reader.ask("CLIENT", "TRACKING", "ON")
    reader.ask("MGET", *(f"k{i}" for i in range(150)))
    writer.ask("CONFIG", "SET", "tracking-table-max-keys", "10")
    told = {str(reader.read()) for _ in range(140)}
    writer.ask("CONFIG", "SET", "tracking-table-max-keys", "1000000")
    assert len(told) == 140
    assert reader.ask("PING") == "+PONG"


def test_expired_keys_are_told_even_to_the_client_that_set_them(reader: Wire, writer: Wire) -> None:
    """NOLOOP doesn't hide that a key expired: nobody changed it."""
    reader.ask("CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP")
    reader.ask("SET", "own", "1", "PX", "1")
    assert reader.read() == invalidation("own")
