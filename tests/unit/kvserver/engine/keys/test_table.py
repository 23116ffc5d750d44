"""The hash table of many small dictionaries."""

from __future__ import annotations

from random import Random

import pytest

from kvserver.engine.keys.table import Table


def filled(seed: int, steps: int) -> tuple[Table, dict[bytes, int]]:
    """Make a table and a dict by the same random steps: growing first, then shrinking."""
    rng = Random(seed)
    table, model = Table(), {}
    for i in range(steps):
        key = b"%d" % rng.randrange(steps // 4)
        if rng.random() < (0.8 if i < steps * 2 // 3 else 0.2):
            table.set(key, i)
            model[key] = i
        else:
            assert table.pop(key) == model.pop(key, None)
    return table, model


@pytest.mark.parametrize("seed", range(3))
def test_behaves_as_a_dict(seed: int) -> None:
    """Whatever is set and removed, the table holds what a dict would hold."""
    table, model = filled(seed, 40000)
    assert dict(table.items()) == model
    assert len(table) == len(model)
    assert all(table.get(key) == value for key, value in model.items())


@pytest.mark.parametrize("count", [1, 7, 100, 5000])
def test_scan_returns_each_entry_once_at_rest(count: int) -> None:
    """A scan of a table that rests returns every entry exactly once."""
    table, model = filled(1, 30000)
    cursor, seen = 0, []
    while True:
        cursor, entries = table.scan(cursor, count)
        seen += entries
        if not cursor:
            break
    assert sorted(seen) == sorted(model.items())


@pytest.mark.parametrize("count", [1, 10, 50, 600])
@pytest.mark.parametrize("size", [1, 72, 511, 20_000])
def test_a_page_of_a_scan_has_the_size_that_was_asked_for(size: int, count: int) -> None:
    """A page holds COUNT entries, and at most two more that share a position; the last may hold less."""
    table = Table()
    for i in range(size):
        table.set(b"key:%d" % i, i)
    cursor, pages = 0, []
    while True:
        cursor, entries = table.scan(cursor, count)
        pages.append(len(entries))
        if not cursor:
            break
    assert sum(pages) == size
    assert all(count <= page <= count + 2 for page in pages[:-1])


@pytest.mark.parametrize("count", [1, 10, 47])
def test_scan_misses_nothing_while_the_table_grows_and_shrinks(count: int) -> None:
    """Entries that are there from the first call to the last are returned, whatever happens to others."""
    table = Table()
    stay = {b"stay%d" % i for i in range(3000)}
    for key in stay:
        table.set(key, 1)
    cursor, seen, made, gone = 0, set(), 0, 0
    while True:
        cursor, entries = table.scan(cursor, count)
        seen.update(key for key, _ in entries)
        for _ in range(3 * count):
            table.set(b"other%d" % made, 1)
            made += 1
        if made > 4000:
            for _ in range(6 * count):
                table.pop(b"other%d" % gone)
                gone += 1
        if not cursor:
            break
    assert stay <= seen


def test_frozen_view_does_not_change() -> None:
    """A frozen view shows the table as it was, however it is written to, split and merged afterwards."""
    table, model = filled(2, 20000)
    frozen = table.freeze()
    rng = Random(3)
    for _ in range(30000):
        key = b"%d" % rng.randrange(20000)
        if rng.random() < 0.5:
            table.set(key, -1)
        else:
            table.pop(key)
    assert dict(frozen.items()) == model
    assert len(frozen) == len(model)


def test_random_keys_are_spread_evenly() -> None:
    """Each entry is drawn about as often as any other."""
    table = Table()
    for i in range(2000):
        table.set(b"%d" % i, i)
    rng = Random(4)
    drawn: dict[bytes, int] = {}
    for _ in range(40000):
        key = table.random_key(rng)
        assert key is not None
        drawn[key] = drawn.get(key, 0) + 1
    assert len(drawn) > 1990
    assert max(drawn.values()) < 60
