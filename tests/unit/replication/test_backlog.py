"""The backlog against a plain byte string."""

import pytest
from hypothesis import given, strategies as st

from replication.backlog import BLOCK_BYTES, Backlog

_appends = st.lists(
    st.one_of(st.binary(max_size=50), st.integers(0, 3 * BLOCK_BYTES).map(lambda n: bytes([n % 256]) * n)),
    max_size=30,
)


@given(_appends, st.integers(0, 10**12), st.integers(1, 100_000))
def test_it_holds_a_suffix_of_the_stream(appends: list[bytes], start: int, size: int) -> None:
    """Whatever is appended, the backlog is a suffix of the stream, at least `size` long and bounded."""
    backlog = Backlog(size, start)
    stream = b""
    for data in appends:
        backlog.append(data)
        stream += data
        assert backlog.end_offset == start + len(stream)
        assert backlog.first_offset + backlog.histlen == backlog.end_offset + 1
        assert backlog.histlen >= min(size, len(stream))
        assert backlog.histlen < size + max(2 * BLOCK_BYTES, size)
    whole = b"".join(backlog.read_from(backlog.first_offset))
    assert len(whole) == backlog.histlen
    assert stream.endswith(whole)
    for back in {0, 1, 5, BLOCK_BYTES, backlog.histlen // 2, backlog.histlen}:
        if back <= backlog.histlen:
            got = b"".join(backlog.read_from(backlog.end_offset + 1 - back))
            assert got == (stream[len(stream) - back :])


def test_what_was_read_stays_as_it_was() -> None:
    """Chunks handed out don't change when the stream goes on."""
    backlog = Backlog(1000, 0)
    backlog.append(b"one")
    chunks = backlog.read_from(1)
    backlog.append(b"two")
    assert b"".join(chunks) == b"one"


def test_one_huge_value_is_cut() -> None:
    """An append far larger than the backlog leaves its end, and no more."""
    backlog = Backlog(1000, 0)
    backlog.append(b"ab" * 500_000)
    assert (backlog.first_offset, backlog.histlen) == (999_001, 1000)
    backlog.append(b"tail")
    assert b"".join(backlog.read_from(backlog.end_offset - 5)) == b"abtail"


def test_bounds() -> None:
    """The next byte to come may be asked for, those before the first or after it may not."""
    backlog = Backlog(1, 10)
    assert not backlog.holds(10)
    assert backlog.holds(11)
    assert not backlog.holds(12)
    backlog.append(b"xyz")
    assert backlog.holds(14)
    assert not backlog.holds(15)
    with pytest.raises(AssertionError):
        backlog.read_from(15)


def test_resizing_down_lets_go_of_the_oldest() -> None:
    """A smaller size drops whole blocks at once and keeps the newest bytes."""
    backlog = Backlog(10 * BLOCK_BYTES, 0)
    for number in range(8):
        backlog.append(bytes([number]) * BLOCK_BYTES)
    backlog.resize(BLOCK_BYTES)
    assert backlog.read_from(backlog.first_offset) == [b"\x07" * BLOCK_BYTES]


def test_what_whole_blocks_take_above_the_size_is_told() -> None:
    """Less than the size is nothing beyond it; of what is there, also the room that a block has to grow counts."""
    backlog = Backlog(10_000, 0)
    backlog.append(bytes(5000))
    assert backlog.beyond() == 0
    for _ in range(100):
        backlog.append(bytes(100))
    assert 5000 <= backlog.beyond() <= 5000 + BLOCK_BYTES // 4
    backlog.append(bytes(BLOCK_BYTES))
    assert backlog.beyond() == backlog.histlen - 10_000
