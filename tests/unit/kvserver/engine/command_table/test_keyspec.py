"""Key specs, without a server."""

import pytest

from kvserver.engine.command_table import catalog
from kvserver.engine.command_table.keyspec import has_keys, keys_of, positions_of

CASES = [
    ("GET k", "1"),
    ("SET k v", "1"),
    ("PING", ""),
    ("MSET a 1 b 2", "1 3"),
    ("BLPOP a b 0", "1 2"),
    ("BITOP and d a b", "2 3 4"),
    ("ZUNIONSTORE d 2 a b weights 1 2", "1 3 4"),
    ("EVAL s 2 a b c", "3 4"),
    ("EVAL s 0 a", ""),
    ("EVAL s 3 a b", ""),
    ("EVAL s 1_0 a", "3"),
    ("XREAD COUNT 1 streams a b 1 2", "4 5"),
    ("XREADGROUP GROUP g c STREAMS a $", "5"),
    ("GEORADIUS k 1 2 3 km", "1"),
    ("GEORADIUS k 1 2 3 km STORE d", "1 7"),
    ("SORT k BY store GET # STORE x STORE d", "1 9"),
    ("MIGRATE h 1 k 0 1", "3"),
    ("MIGRATE h 1  0 1 AUTH keys KEYS a b", "9 10"),
    ("MIGRATE h 1 k 0 1 KEYS a b", ""),
    ("SSUBSCRIBE a", ""),
]


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_keys_are_found_where_they_stand(line: str, expected: str) -> None:
    """The positions of keys follow from the command line, however they are announced."""
    args = [word.encode() for word in line.split(" ")]
    facts = catalog.load()[args[0].decode()]
    positions = [int(word) for word in expected.split()]
    assert sorted(key.position for key in keys_of(facts, args)) == positions
    assert sorted(positions_of(facts, args)) == positions


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        ("SET k v EX 1", {"OW", "update"}),
        ("SET k v get", {"RW", "access", "update"}),
        ("BITFIELD k GET u8 0 OVERFLOW wrap", {"RO", "access"}),
        ("BITFIELD k GET u8 0 SET u8 0 1", {"RW", "access", "update"}),
        ("DEL k", {"RM", "delete"}),
    ],
)
def test_flags_say_what_this_very_line_does(line: str, flags: set[str]) -> None:
    """Options decide whether SET and BITFIELD read or write their key."""
    args = [word.encode() for word in line.split(" ")]
    (key,) = keys_of(catalog.load()[args[0].decode()], args)
    assert set(key.flags) == flags


def test_shard_channels_are_no_keys() -> None:
    """Commands whose key specs describe channels have no keys."""
    facts = catalog.load()
    assert not has_keys(facts["SPUBLISH"])
    assert has_keys(facts["EVAL"])


def test_every_row_has_documentation_and_known_words() -> None:
    """The two data files name the same commands, and use only flags and categories that have a place."""
    facts, docs = catalog.load(), catalog.docs()
    assert facts.keys() == docs.keys()
    for entry in facts.values():
        assert entry.flags <= set(catalog.FLAG_ORDER)
        assert entry.categories <= set(catalog.CATEGORY_ORDER)
        assert all(name in facts for name in entry.subcommands)
