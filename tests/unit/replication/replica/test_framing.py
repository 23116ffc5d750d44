"""Snapshot framing, fed whole, byte by byte and in arbitrary chunks."""

import itertools

import pytest
from hypothesis import given, strategies as st

from replication.replica.framing import Payload, PayloadError

MARK = b"0123456789abcdef0123456789abcdef01234567"


def _feed(stream: bytes, cuts: list[int]) -> tuple[bytes, bytes, Payload]:
    payload = Payload()
    edges = [0, *sorted({c for c in cuts if 0 < c < len(stream)}), len(stream)]
    body = rest = b""
    for start, end in itertools.pairwise(edges):
        if payload.done:
            rest += stream[start:end]
        else:
            body += payload.feed(stream[start:end])
    return body, payload.rest + rest, payload


@given(st.binary(max_size=300), st.binary(max_size=80), st.booleans(), st.lists(st.integers(0, 500)))
def test_any_chunking_gives_the_same(body: bytes, tail: bytes, marked: bool, cuts: list[int]) -> None:
    """However the bytes arrive, the snapshot and what follows it come out whole."""
    head = b"$EOF:%s\r\n" % MARK if marked else b"$%d\r\n" % len(body)
    stream = b"\n\n" + head + body + (MARK if marked else b"") + tail
    assert _feed(stream, cuts)[:2] == (body, tail)
    assert _feed(stream, list(range(len(stream))))[:2] == (body, tail)


def test_a_mark_that_almost_comes_twice() -> None:
    """Beginnings of the mark inside the snapshot are part of it."""
    body = MARK[:39] + MARK[:20] + b"x" + MARK[:39]
    stream = b"$EOF:" + MARK + b"\r\n" + body + MARK
    assert _feed(stream, list(range(len(stream))))[0] == body


def test_length_and_progress_are_known() -> None:
    """A sized payload tells its length at once, a marked one never; both count what was received."""
    _, _, payload = _feed(b"$10\r\nabc", [])
    assert (payload.length, payload.received, payload.done) == (10, 3, False)
    _, _, payload = _feed(b"$EOF:" + MARK + b"\r\n" + b"x" * 100, [])
    assert (payload.length, payload.received, payload.done) == (-1, 61, False)


@pytest.mark.parametrize(
    "header",
    [
        b"-ERR can't save\r\n",
        b"$\r\n",
        b"$-1\r\n",
        b"$1_0\r\n",
        b"$EOF:short\r\n",
        b"+OK\r\n",
        b"$99999999999999999999\r\n",
        b"$9999999999999999999\r\n",
        b"x" * 100,
        b"-" + b"x" * 5000,
    ],
)
def test_nonsense_is_refused(header: bytes) -> None:
    """A refusing, malformed or endless header raises a clear error and is never waited for."""
    with pytest.raises(PayloadError):
        Payload().feed(header)
