"""The records of the append-only file: whole ones, missing ends, damage."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from kvserver.wire.resp import encode_request
from persistence.aof.records import AofFormatError, Record, RecordDecoder, timestamp

COMMANDS = st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=5), max_size=8)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(marks)]


def decode(pieces: list[bytes], base: int = 0) -> tuple[RecordDecoder, list[Record]]:
    decoder = RecordDecoder(base)
    return decoder, [record for piece in pieces for record in decoder.feed(piece)]


@given(COMMANDS, st.lists(st.integers(0, 4000), max_size=8), st.integers(0, 1000))
def test_any_commands_in_any_pieces(commands: list[list[bytes]], places: list[int], base: int) -> None:
    """Commands come back as they were written, with their ends, however the file is cut."""
    encoded = [encode_request(args) for args in commands]
    decoder, records = decode(cut(b"".join(encoded), places), base)
    assert [args for args, _ in records] == commands
    ends = [base + sum(map(len, encoded[: i + 1])) for i in range(len(encoded))]
    assert [end for _, end in records] == ends
    assert decoder.offset == (ends[-1] if ends else base)


@given(COMMANDS.filter(bool), st.integers(1, 10_000))
def test_any_end(commands: list[list[bytes]], at: int) -> None:
    """A file cut anywhere is good up to its last whole command, byte by byte or at once."""
    commands = [[b"set", *args] for args in commands]
    encoded = [encode_request(args) for args in commands]
    data = b"".join(encoded)[: at % (len(b"".join(encoded)) + 1)]
    ends = [sum(map(len, encoded[:i])) for i in range(len(encoded) + 1)]
    good = max(end for end in ends if end <= len(data))
    for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
        decoder, records = decode(pieces)
        assert decoder.valid_up_to == good
        assert len(records) == ends.index(good)
        truncation = decoder.truncation
        assert (truncation is None) == (good == len(data))
        assert truncation is None or (truncation.valid_up_to, truncation.in_transaction) == (good, False)


def test_a_transaction_is_one() -> None:
    """A file that ends between MULTI and EXEC is good up to the MULTI, even where a command ends."""
    before = encode_request([b"SELECT", b"0"])
    inside = encode_request([b"multi"]) + encode_request([b"SET", b"a", b"1"])
    for tail in (b"", b"*2\r\n$3\r\nDEL\r\n", b"#TS:17"):
        decoder, _ = decode([before + inside + tail])
        assert decoder.truncation is not None
        assert decoder.truncation.valid_up_to == len(before)
        assert decoder.truncation.in_transaction
    decoder, records = decode([before + inside + encode_request([b"Exec"])])
    assert decoder.truncation is None
    assert decoder.valid_up_to == records[-1][1]
    assert decode([before + inside])[0].truncation == (
        len(before),
        len(before + inside),
        "Reached EOF before reading EXEC for MULTI",
        True,
    )


def test_annotations() -> None:
    """Annotations stand before commands, in one piece or in many, and are told with their place."""
    ping = encode_request([b"PING"])
    data = b"#TS:1628217470\r\n" + ping + b"#other\n#TS:1628217471\r\n" + ping
    decoder = RecordDecoder(100)
    assert decoder.feed(data) == [([b"PING"], 100 + 16 + len(ping)), ([b"PING"], 100 + len(data))]
    second = 116 + len(ping)
    notes = [
        (100, 116, b"#TS:1628217470"),
        (second, second + 7, b"#other"),
        (second + 7, second + 23, b"#TS:1628217471"),
    ]
    assert decoder.annotations == notes
    assert decoder.feed(b"") == []
    assert decoder.annotations == []
    decoder = RecordDecoder(100)
    met = []
    for i in range(len(data)):
        decoder.feed(data[i : i + 1])
        met += decoder.annotations
    assert met == notes


def test_an_annotation_without_an_end() -> None:
    """The next write would become part of it, so it is cut off."""
    decoder, _ = decode([encode_request([b"PING"]) + b"#TS:1628"])
    assert decoder.truncation == (14, 14, "Annotation without an end", False)


def test_the_time_of_an_annotation() -> None:
    """A timestamp is plain digits; other annotations have none."""
    assert timestamp(b"#TS:1628217470") == 1628217470
    assert timestamp(b"#hello") is None
    for wrong in (b"#TS:", b"#TS:1_0", b"#TS: 5", b"#TS:-5", b"#TS:5x", b"#TS:" + b"9" * 19):
        with pytest.raises(ValueError, match="Invalid timestamp annotation"):
            timestamp(wrong)


PING = b"*1\r\n$4\r\nPING\r\n"


@pytest.mark.parametrize(
    ("data", "offset", "reason"),
    [
        (b"PING\r\n", 0, "Expected a command, got: 'P'"),
        (b"\0\0\0", 0, "Expected a command, got: '\\x00'"),
        (b"*0\r\n", 0, "Expected a command, got an array of nothing"),
        (b"*-1\r\n", 0, "Expected \\r\\n, got: 2d31"),
        (b"*1_0\r\n", 0, "Expected \\r\\n, got: 5f30"),
        (b"* 1\r\n", 0, "Expected \\r\\n, got: 2031"),
        (b"*+1\r\n", 0, "Expected \\r\\n, got: 2b31"),
        (b"*\r\n", 0, "Expected \\r\\n, got: 0d0a"),
        (b"*1\n$4\r\n", 0, "Expected \\r\\n, got: 0a24"),
        (b"*99999999999\r\n", 0, "Expected a number up to 2147483647, got: 9999999999…"),
        (b"*0000000000000000000000001\r\n", 0, "Expected \\r\\n, got: 3030"),
        (b"*1\r\n:4\r\n", 4, "Expected prefix '$', got: ':'"),
        (b"*1\r\n$-1\r\n", 4, "Expected \\r\\n, got: 2d31"),
        (b"*1\r\n$536870913\r\n", 4, "Expected a number up to 536870912, got: 536870913…"),
        (b"*1\r\n$4\r\nPINGxy", 8, "Expected \\r\\n, got: 7879"),
        (b"*1\r\n$4\r\nPING\r\r", 8, "Expected \\r\\n, got: 0d0d"),
        (b"#" + b"x" * 1024, 0, "Annotation longer than 1024 bytes"),
    ],
)
def test_damage(data: bytes, offset: int, reason: str) -> None:
    """Bytes that can't be a command are refused where they stand, and what came before is kept."""
    whole = RecordDecoder()
    with pytest.raises(AofFormatError) as caught:
        whole.feed(PING + data)
    assert (caught.value.reason, caught.value.offset) == (reason, len(PING) + offset)
    assert whole.salvaged == [([b"PING"], len(PING))]
    assert whole.valid_up_to == len(PING)
    with pytest.raises(AofFormatError) as caught:
        decode([(PING + data)[i : i + 1] for i in range(len(PING + data))])
    assert caught.value.offset == len(PING) + offset


def test_a_length_takes_no_memory() -> None:
    """A huge length announced is waited for, not reserved; nor is it given up when the file is long."""
    decoder = RecordDecoder(max_bulk=2**40)
    assert decoder.feed(b"*1000000000\r\n$1000000000000\r\n") == []
    for _ in range(10):
        assert decoder.feed(b"x" * 1000) == []
    truncation = decoder.truncation
    assert truncation is not None
    assert truncation.reason == "Expected to read 1000000000002 bytes, got 10000 bytes"
    assert truncation.valid_up_to == 0


def test_a_large_argument_in_small_pieces() -> None:
    """An argument that comes in many pieces is joined once, and what follows it isn't lost."""
    value = bytes(range(256)) * 4000
    data = encode_request([b"SET", b"k", value]) + PING
    decoder, records = decode([data[i : i + 700] for i in range(0, len(data), 700)])
    assert records == [([b"SET", b"k", value], len(data) - len(PING)), ([b"PING"], len(data))]
    assert decoder.truncation is None


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (b"*", "Expected \\r\\n, got: 0000"),
        (b"*1\r", "Expected \\r\\n, got: 0d00"),
        (b"*1\r\n", "Reached EOF inside a command"),
        (b"*1\r\n$4\r\nPIN", "Expected to read 6 bytes, got 3 bytes"),
    ],
)
def test_what_is_missing(tail: bytes, reason: str) -> None:
    """A truncation says what is missing."""
    decoder, _ = decode([PING + tail])
    assert decoder.truncation is not None
    assert decoder.truncation.reason == reason


@given(st.binary(max_size=60), st.lists(st.integers(0, 100), max_size=4))
def test_anything(data: bytes, places: list[int]) -> None:
    """Any bytes are decoded, waited for or refused, at the same place however they are cut."""

    def outcome(pieces: list[bytes]) -> tuple[object, ...]:
        decoder = RecordDecoder()
        records: list[Record] = []
        try:
            for piece in pieces:
                records += decoder.feed(piece)
        except AofFormatError as error:
            return (*records, *decoder.salvaged, error.offset)
        return (*records, decoder.truncation)

    data = b"*1\r\n$1\r\nx\r\n" + data
    assert outcome([data]) == outcome(cut(data, places))
