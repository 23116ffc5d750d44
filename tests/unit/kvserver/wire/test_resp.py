"""The request parser and the reply encoders."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kvserver.wire.quoting import split_args
from kvserver.wire.resp import Parser, ProtocolError, bulk, bulks, encode_request, integer

REQUESTS = st.lists(
    st.lists(st.one_of(st.binary(max_size=12), st.binary(min_size=90, max_size=2000)), min_size=1, max_size=12),
    min_size=1,
    max_size=6,
)


def parse(chunks: list[bytes]) -> list[list[bytes]]:
    """Feed the chunks one by one; return all requests that come out."""
    parser = Parser()
    out: list[list[bytes]] = []
    for chunk in chunks:
        parser.feed(chunk)
        while (args := parser.next()) is not None:
            out.append(args)
    return out


@given(REQUESTS, st.lists(st.integers(min_value=1, max_value=700), min_size=1, max_size=20))
def test_chunks_do_not_matter(requests: list[list[bytes]], sizes: list[int]) -> None:
    """However the bytes are cut, the same requests come out, each as soon as its last byte is there."""
    data = b"".join(map(encode_request, requests))
    chunks = []
    position = turn = 0
    while position < len(data):
        size = sizes[turn % len(sizes)]
        chunks.append(data[position : position + size])
        position += size
        turn += 1
    assert parse(chunks) == requests


@given(REQUESTS)
def test_byte_by_byte_and_with_a_tail(requests: list[list[bytes]]) -> None:
    """Byte by byte works, and an unfinished request behind takes nothing from those before it."""
    data = b"".join(map(encode_request, requests))
    assert parse([data[i : i + 1] for i in range(len(data))]) == requests
    assert parse([data + b"*3\r\n$3\r\nSET\r\n$100\r\nabc"]) == requests


def test_cut_behind_a_header_and_within_the_next() -> None:
    """What a large argument needed is forgotten once it has come, so a short rest isn't waited for in vain."""
    assert parse([b"*2\r\n$100\r\n", b"x" * 100 + b"\r\n$1", b"\r\na\r\n"]) == [[b"x" * 100, b"a"]]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$01\r\n", "invalid bulk length"),
        (b"*1\r\n$1_0\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"*" + b"1" * 70000, "too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 70000, "too big bulk count string"),
        (b"x" * 70000, "too big inline request"),
        (b'set a "b\r\n', "unbalanced quotes in request"),
    ],
)
def test_violations(data: bytes, text: str) -> None:
    """What is no request is refused with Redis's own text."""
    with pytest.raises(ProtocolError, match=text.replace("$", "\\$").replace("*", "\\*")):
        parse([data])


def test_announced_sizes_take_no_memory() -> None:
    """A header that announces a thousand million arguments or half a gigabyte reserves nothing."""
    parser = Parser()
    parser.feed(b"*1000000000\r\n$536870912\r\nabc")
    assert parser.next() is None
    assert parser.buffered() < 100


def test_unauthenticated_clients_are_held_short() -> None:
    """Before authentication only small requests are accepted."""
    for data, text in ((b"*11\r\n", "unauthenticated multibulk"), (b"*1\r\n$16385\r\n", "unauthenticated bulk")):
        parser = Parser()
        parser.trusted = False
        parser.feed(data)
        with pytest.raises(ProtocolError, match=text):
            parser.next()


def test_inline_requests() -> None:
    """A line typed by a person is a request; empty lines are none."""
    assert parse([b'\r\nset key "a\\x00b\\n" \'it\\\'s\'\r\n*1\r\n$4\r\nPING\r\n']) == [
        [b"set", b"key", b"a\x00b\n", b"it's"],
        [b"PING"],
    ]
    assert split_args(b'"a"b') is None


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_integers(number: int) -> None:
    """Every 64-bit integer is encoded as itself."""
    assert integer(number) == b":%d\r\n" % number


@given(st.lists(st.binary(max_size=3000), max_size=20))
def test_bulks(values: list[bytes]) -> None:
    """Bulk strings carry their length and their bytes."""
    assert bulks(values) == b"*%d\r\n" % len(values) + b"".join(map(bulk, values))
    assert all(bulk(v) == b"$%d\r\n%b\r\n" % (len(v), v) for v in values)
