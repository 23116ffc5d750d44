"""How quorum nodes write to each other: what is written is read back, and nothing else is believed."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kvserver.wire.resp import Parser
from replication.quorum.wire_words import (
    WordsError,
    decode_frame,
    decode_hello,
    decode_state,
    encode_frame,
    encode_hello,
    encode_state,
    is_name,
)
from replication.quorum.words import Confirmed, Hello, News, State, Welcome

IDS = st.integers(0, 2**160 - 1).map("{:040x}".format)
NUMBERS = st.integers(0, 10**19 - 1)
SETS = st.lists(st.frozensets(IDS, min_size=1, max_size=5), min_size=1, max_size=2).map(tuple)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=5).map(tuple)
FRAMES = st.one_of(
    st.builds(Welcome, NUMBERS, st.booleans()),
    st.builds(News, NUMBERS, st.tuples(NUMBERS, NUMBERS), NUMBERS, NUMBERS),
    st.builds(Confirmed, NUMBERS, st.from_regex(rb"[0-9a-z]{1,16}", fullmatch=True), NUMBERS),
)


@given(st.builds(Hello, IDS, NUMBERS, NUMBERS, NUMBERS), IDS)
def test_a_hello_is_read_back(hello: Hello, run: str) -> None:
    """A greeting is what was said, by whom."""
    greeting = decode_hello(encode_hello(hello, run))
    assert (greeting.hello, greeting.run) == (hello, run)


@given(FRAMES)
def test_a_frame_is_one_inline_request_and_read_back(message: Welcome | News | Confirmed) -> None:
    """The parser of the stream sees a frame as one request, and what it says is what was said."""
    parser = Parser(1 << 20)
    parser.feed(encode_frame(message))
    args = parser.next()
    assert args is not None
    assert args[0].startswith(b">")
    assert decode_frame(args) == message
    assert parser.next() is None
    assert parser.buffered() == 0


@given(ROWS, st.lists(st.tuples(NUMBERS, SETS), max_size=3).map(tuple), st.tuples(NUMBERS, NUMBERS), NUMBERS)
def test_a_state_is_read_back(epochs: tuple, members: tuple, commit: tuple[int, int], epoch: int) -> None:
    """What a snapshot says of a quorum is all of it."""
    state = State(epochs, members, commit)
    assert decode_state(dict(encode_state(state, epoch))) == (state, epoch)


def test_without_fields_there_is_no_group() -> None:
    """A snapshot of a server without a quorum belongs to no group."""
    assert decode_state({}) == (State((), (), (0, 0)), 0)


@pytest.mark.parametrize(
    "args",
    [
        [], [b">quorum"], [b">quorum", b"welcome"], [b">quorum", b"welcome", b"-1", b"1"],
        [b">quorum", b"news", b"1", b"2", b"3"], [b">quorum", b"news", b"1", b"2", b"3", b"4", b"x"],
        [b">quorum", b"confirmed", b"1", b"NAME!", b"2"], [b">quorum", b"welcome", b"9" * 20, b"1"],
    ],
)  # fmt: skip
def test_other_frames_are_refused(args: list[bytes]) -> None:
    """A frame that no node of ours writes is an error, whatever it looks like."""
    with pytest.raises(WordsError):
        decode_frame(args)


@given(st.binary(max_size=200))
def test_no_bytes_break_what_reads_them(text: bytes) -> None:
    """Any bytes in place of a hello or of a snapshot's fields are refused by the one error, or understood."""
    is_name(text)
    for read in (
        lambda: decode_hello(text),
        lambda: decode_state({b"quorum-epochs": text}),
        lambda: decode_state({b"quorum-members": text}),
        lambda: decode_state({b"quorum-commit": text}),
        lambda: decode_state({b"quorum-epoch": text}),
    ):
        try:
            read()
        except WordsError:
            continue
