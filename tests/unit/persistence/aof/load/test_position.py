"""Where in the log an append-only file stands, however it is cut into pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from kvserver.wire.resp import encode_request
from persistence.aof.load.position import Gap, Position, encode_position
from persistence.aof.records import RecordDecoder

NOTE = encode_request([b"PING", b"quorum marker 1 " + b"a" * 40])
SET = encode_request([b"SET", b"k", b"v"])


def read(content: bytes, cuts: list[int], position: Position) -> RecordDecoder:
    """Read a file in pieces."""
    decoder = RecordDecoder(0)
    position.begin()
    edges = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        records = decoder.feed(content[start:end])
        position.read(records, decoder.annotations)
    truncation = decoder.truncation
    position.end(decoder.offset if truncation is None else truncation.valid_up_to)
    return decoder


@given(st.lists(st.sampled_from((SET, NOTE, b"#TS:1700000000\r\n")), max_size=12), st.lists(st.integers(0, 999)))
def test_each_byte_of_a_command_counts_and_no_other(pieces: list[bytes], cuts: list[int]) -> None:
    """Behind the annotation that says where the log stands, commands move it and annotations don't."""
    head = encode_request([b"SELECT", b"3"])
    position = Position()
    read(head + encode_position(1000) + b"".join(pieces), cuts, position)
    log = b"".join(piece for piece in pieces if not piece.startswith(b"#"))
    assert position.offset == 1000 + len(log)
    for args, first, last in position.notes:
        assert log[first - 1001 : last - 1000] == encode_request(args)
    assert len(position.notes) == pieces.count(NOTE)


@given(st.integers(0, len(SET) - 1), st.lists(st.integers(0, 999)))
def test_half_a_command_at_the_end_is_not_there(cut: int, cuts: list[int]) -> None:
    """A torn end counts up to the last whole command; an open transaction doesn't count at all."""
    position = Position()
    read(encode_position(5) + SET + SET[:cut], cuts, position)
    assert position.offset == 5 + len(SET)
    position = Position()
    read(encode_position(5) + SET + encode_request([b"MULTI"]) + SET, cuts, position)
    assert position.offset == 5 + len(SET)


def test_one_file_goes_on_where_the_one_before_ended() -> None:
    """A snapshot says where it stands; what follows in other files is counted from there; without it nobody knows."""
    position = Position()
    position.begin(120, 77)
    position.end(120)
    read(SET, [], position)
    assert position.offset == 77 + len(SET)
    nowhere = Position()
    read(SET + NOTE, [], nowhere)
    assert nowhere.offset is None
    assert nowhere.notes == []


@given(st.booleans(), st.integers(-len(SET), 3 * len(SET)), st.lists(st.integers(0, 999)))
def test_a_file_that_begins_beyond_the_end_of_the_last_is_told(select: bool, beyond: int, cuts: list[int]) -> None:
    """What follows on nothing isn't part of the log; the SELECT at a file's head is none of its bytes."""
    head = encode_request([b"SELECT", b"3"]) if select else b""
    position = Position()
    read(head + encode_position(1000) + SET, [], position)
    at = 1000 + len(SET)
    following = head + encode_position(at + beyond) + SET
    if beyond > 0:
        with pytest.raises(Gap):
            read(following, cuts, position)
        assert position.offset == at
    else:
        read(following, cuts, position)
        assert position.offset == at + beyond + len(SET)
