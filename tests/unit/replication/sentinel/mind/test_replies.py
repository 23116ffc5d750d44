"""The parser of replies: whole, byte by byte, with a tail; and what it refuses."""

from __future__ import annotations

import pytest

from replication.sentinel.mind.messages import ReplyError
from replication.sentinel.mind.replies import MAX_BYTES, BadReply, ReplyParser

CASES = [
    (b"+PONG\r\n", b"PONG"),
    (b"-ERR no\r\n", ReplyError("ERR no")),
    (b":-12\r\n", -12),
    (b"$-1\r\n", None),
    (b"*-1\r\n", None),
    (b"$0\r\n\r\n", b""),
    (b"$4\r\na\r\nb\r\n", b"a\r\nb"),
    (b"*3\r\n:1\r\n$1\r\n*\r\n:0\r\n", [1, b"*", 0]),
    (b"*2\r\n*1\r\n+OK\r\n-ERR x\r\n", [[b"OK"], ReplyError("ERR x")]),
]


@pytest.mark.parametrize(("wire", "reply"), CASES)
def test_whole_replies(wire: bytes, reply: object) -> None:
    """A reply that arrives whole is read as what it is."""
    parser = ReplyParser()
    parser.feed(wire)
    assert parser.next() == (reply,)
    assert parser.next() is None


@pytest.mark.parametrize(("wire", "reply"), CASES)
def test_replies_byte_by_byte(wire: bytes, reply: object) -> None:
    """A reply that arrives in pieces is read when its last byte is there, and not before."""
    parser = ReplyParser()
    for index in range(len(wire)):
        assert parser.next() is None
        parser.feed(wire[index : index + 1])
    assert parser.next() == (reply,)


@pytest.mark.parametrize(("wire", "reply"), CASES)
def test_replies_with_a_tail(wire: bytes, reply: object) -> None:
    """What follows a reply is left for the next one."""
    parser = ReplyParser()
    parser.feed(wire + b"+A\r\n+B")
    assert parser.next() == (reply,)
    assert parser.next() == (b"A",)
    assert parser.next() is None


@pytest.mark.parametrize("wire", [
    b"HTTP/1.1 200 OK\r\n", b":\r\n", b":1_0\r\n", b":+1\r\n", b"$-2\r\n", b"$99999999999\r\n", b"*1000000000\r\n",
    b"*1\r\n" * 9, b"$1\r\nabc\r\n", b"+" + b"x" * 70_000, b"%1\r\n+a\r\n+b\r\n",
])
def test_nonsense_is_refused(wire: bytes) -> None:
    """What isn't a reply, or announces more than a sentinel will hold, is refused at once."""
    parser = ReplyParser()
    parser.feed(wire)
    with pytest.raises(BadReply):
        parser.next()


def test_memory_is_bounded() -> None:
    """An array whose elements never end is refused when it has grown too large."""
    parser = ReplyParser()
    parser.feed(b"*4000\r\n" + b"$65536\r\n" + b"x" * 65536 + b"\r\n")
    piece = b"$65536\r\n" + b"x" * 65536 + b"\r\n"
    for _ in range(MAX_BYTES // 65536 - 2):
        assert parser.next() is None
        parser.feed(piece)
    parser.feed(piece * 2)
    with pytest.raises(BadReply):
        parser.next()
