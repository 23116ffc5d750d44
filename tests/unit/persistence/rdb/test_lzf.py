"""LZF: what goes in comes out, and what isn't LZF is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from persistence.rdb.lzf import LzfError, compress, decompress

repetitive = st.builds(
    lambda pieces, times: b"".join(pieces) * times,
    st.lists(st.binary(max_size=12), max_size=8),
    st.integers(1, 60),
)

# From a real server: DUMP of the value on the right, without type, lengths and footer.
FROM_REDIS = [
    (b"\nabcdefghija\xe0\n\t", b"abcdefghij" * 3),
    (b"\x01aa\xe0\x19\x00\x01aa", b"a" * 38),
]


@given(st.one_of(st.binary(max_size=400), repetitive))
def test_compressed_data_comes_back(data: bytes) -> None:
    """Whatever is compressed decompresses to itself, and never is longer than allowed."""
    packed = compress(data, len(data) - 4)
    if packed is not None:
        assert len(packed) <= len(data) - 4
        assert decompress(packed, len(data)) == data


def test_output_is_that_of_liblzf() -> None:
    """The same references are chosen as in Redis, so payloads are equal byte for byte."""
    for packed, data in FROM_REDIS:
        assert compress(data, len(data) - 4) == packed


def test_long_runs_use_the_longest_references() -> None:
    """A megabyte of one byte shrinks by the format's greatest ratio."""
    data = b"x" * (1 << 20)
    packed = compress(data, len(data))
    assert packed is not None
    assert len(packed) < len(data) // 80
    assert decompress(packed, len(data)) == data


@given(st.binary(max_size=200), st.integers(0, 4000))
def test_garbage_is_refused_or_decoded_to_the_announced_size(data: bytes, size: int) -> None:
    """Any input either makes exactly the announced number of bytes or raises LzfError."""
    with suppress(LzfError):
        assert len(decompress(data, size)) == size


@pytest.mark.parametrize(
    ("packed", "size"),
    [(b"\x05abc", 6), (b"\x20", 3), (b"\xe0\x01", 10), (b"\x00a\x20\x05", 4), (b"\x00a", 2), (b"\x01ab", 1)],
)
def test_corrupt_data_is_refused(packed: bytes, size: int) -> None:
    """Runs that are cut short, references before the beginning and wrong sizes raise."""
    with pytest.raises(LzfError):
        decompress(packed, size)
