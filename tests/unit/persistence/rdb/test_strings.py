"""Keys that hold strings: what is written of them and what is read, in a compiled build past the objects."""

from __future__ import annotations

import random

import pytest

from kvserver.engine.keys.keyspace import Db, State
from persistence.rdb.errors import RdbError
from persistence.rdb.opcodes import OP_EOF, OP_FREQ
from persistence.rdb.read.decoder import Decoder
from persistence.rdb.read.values import EngineBuilders
from persistence.rdb.write import encoder
from persistence.rdb.write.strings import encode_part
from persistence.snapshot.restore import Restorer

LENGTHS = (0, 1, 11, 12, 20, 21, 63, 64, 255, 256, 257, 4095, 4096, 4097, 16383, 16384, 70000)
NUMBERS = [0, 1, -1, 127, 128, -128, -129, 32767, 32768, -32768, -32769, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1]
TEXTS = [*(b"%d" % n for n in NUMBERS), b"-", b"-0", b"00", b"01", b"+1", b" 1", b"1 ", b"12345678901", b"\0\xff"]
NOW = 1_700_000_000_000


def text(rng: random.Random) -> bytes:
    """A string of any shape: a number, or almost, short, long, compressible or not."""
    lot = rng.random()
    if lot < 0.4:
        return rng.choice(TEXTS)
    size = rng.choice(LENGTHS)
    return b"x" * size if lot < 0.6 else rng.randbytes(size)


def drawn(rng: random.Random, count: int) -> dict[bytes, tuple[bytes, int]]:
    """Keys with values and times, -1 for none."""
    return {
        rng.choice((b"", b"%d" % rng.randrange(99))) + text(rng): (text(rng), rng.choice((-1, -1, 0, NOW, NOW + 1)))
        for _ in range(count)
    }


def written(keys: dict[bytes, tuple[bytes, int]], compress: bool, tail: bytes = b"") -> bytes:
    """A file with these keys."""
    records = [
        encoder.key_prefix(when) + encoder.string_key(key, value, compress) for key, (value, when) in keys.items()
    ]
    return b"".join([encoder.header([]), encoder.select_db(0, 0, 0), *records, tail, b"%c" % OP_EOF, bytes(8)])


class Target:
    """An empty database, filled from a file in pieces."""

    def __init__(self, keep_expired: bool) -> None:
        self.state = State()
        self.db = Db(0, self.state)
        self.decoder = Decoder(EngineBuilders(self.state.limits))
        self.restorer = Restorer([self.db], NOW, keep_expired)
        self.decoder.filler = self.restorer.filler

    def feed(self, file: bytes, rng: random.Random) -> None:
        """Feed the file, cut anywhere."""
        cuts = sorted(rng.randrange(len(file) + 1) for _ in range(rng.choice((0, 3, 50))))
        for i, j in zip([0, *cuts], [*cuts, len(file)], strict=True):
            self.restorer.apply(self.decoder.feed(file[i:j]))

    def content(self) -> dict[bytes, tuple[bytes, int]]:
        """What the database holds."""
        return {key: (value, self.db.ttl_at(key)) for key, value in self.db.keys.items()}


@pytest.mark.parametrize("seed", range(12))
def test_what_is_written_is_read(seed: int) -> None:
    """A file of strings of all shapes, in pieces, gives the keys that it holds, and counts them."""
    rng = random.Random(seed)
    keys = drawn(rng, 300)
    keep = seed % 2 == 0
    target = Target(keep)
    target.feed(written(keys, compress=seed % 3 > 0), rng)
    target.decoder.finish()
    alive = {key: entry for key, entry in keys.items() if keep or entry[1] < 0 or entry[1] > NOW}
    assert target.content() == alive
    assert (target.restorer.keys, target.restorer.expired) == (len(alive), len(keys) - len(alive))


@pytest.mark.parametrize("seed", range(6))
def test_records_of_a_part_are_the_encoder_s(seed: int) -> None:
    """What is encoded at once and what is left over are together the part, as the encoder writes it."""
    rng = random.Random(seed)
    keys = drawn(rng, 900)
    db = Db(0, State())
    for key, (value, when) in keys.items():
        db.put(key, value)
        if when >= 0:
            db.expire_at(key, when)
    for compress in (True, False):
        found = []
        for number in range(len(db.keys.sizes())):
            records, count, rest = encode_part(db.keys, number, compress)
            target = Target(keep_expired=True)
            head = encoder.header([]) + encoder.select_db(0, 0, 0)
            target.feed(head + records + b"%c" % OP_EOF + bytes(8), rng)
            taken = target.content()
            assert len(taken) == count
            plain = [
                encoder.key_prefix(when) + encoder.string_key(key, value, compress)
                for key, (value, when) in taken.items()
            ]
            assert sum(map(len, plain)) == len(records)
            assert all(record in records for record in plain)
            found += [*taken.items(), *((key, (value, db.ttl_at(key))) for key, value in rest.items())]
        assert len(found) == len(keys)
        assert dict(found) == keys


def test_a_key_that_is_there_is_an_error() -> None:
    """A file with a key twice is refused, whichever way the first one came."""
    with pytest.raises(RdbError, match="duplicated key"):
        Target(True).feed(written({b"k": (b"v", -1)}, True, encoder.string_key(b"k", b"w", True)), random.Random(1))


def test_what_stands_before_a_key_is_for_that_key() -> None:
    """A frequency between two strings belongs to the second, and the one behind has none."""
    tail = b"%c\x07" % OP_FREQ + encoder.string_key(b"b", b"2", True) + encoder.string_key(b"c", b"3", True)
    target = Target(True)
    target.feed(written({b"a": (b"1", -1)}, True, tail), random.Random(2))
    assert target.content() == {b"a": (b"1", -1), b"b": (b"2", -1), b"c": (b"3", -1)}


@pytest.mark.parametrize("seed", range(4))
def test_a_file_that_is_cut_off_gives_what_it_has(seed: int) -> None:
    """Bytes that end anywhere raise nothing until the end is asked for; what was whole is there."""
    rng = random.Random(seed)
    keys = drawn(rng, 60)
    file = written(keys, compress=False)
    target = Target(True)
    target.feed(file[: rng.randrange(30, len(file) - 9)], rng)
    assert target.content().items() <= keys.items()
    with pytest.raises(RdbError, match="Unexpected end"):
        target.decoder.finish()
