"""The order of a sorted set against a plain sorted list."""

from __future__ import annotations

import random
from bisect import insort

import pytest
from hypothesis import given, strategies as st

from kvserver.engine.keys.table import Table
from kvserver.engine.values import ordering
from kvserver.engine.values.ordering import BOTTOM, TOP, Ordering

PAIRS = st.tuples(st.sampled_from([-1.0, 0.0, 1.0, 2.5, float("inf")]), st.binary(max_size=2))
STEPS = st.lists(st.tuples(st.sampled_from("aaaadehc"), PAIRS, st.integers(0, 50)), max_size=80)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "CHUNK", 4)


def step(order: Ordering, model: list[tuple[float, bytes]], what: str, pair: tuple[float, bytes], n: int) -> None:
    """Do the same to both."""
    size = len(model)
    if what == "a":
        if pair not in model:
            order.add(*pair)
            insort(model, pair)
    elif what == "d":
        if pair in model:
            order.discard(*pair)
            model.remove(pair)
    elif not size:
        return
    elif what in "eh":
        assert order.pop_edge(what == "h") == model.pop(0 if what == "h" else -1)
    else:
        start = n % size
        stop = start + 1 + (n * 7) % (size - start)
        order.cut(start, stop)
        del model[start:stop]


@given(STEPS, st.integers(0, 40))
def test_stays_sorted(steps: list[tuple[str, tuple[float, bytes], int]], clone_at: int) -> None:
    """Any sequence of operations leaves the pairs a sorted list would hold, found at the same places."""
    order, model = Ordering(), list[tuple[float, bytes]]()
    twins = []
    for number, (what, pair, n) in enumerate(steps):
        if number == clone_at:
            twins = [(list(model), order.clone())]
        step(order, model, what, pair, n)
        assert len(order) == len(model)
    assert list(order) == model
    for place, pair in enumerate(model):
        assert order.bisect(*pair) == place
        assert order.slice(place, min(place + 3, len(model))) == model[place : place + 3]
    for score in (-1.0, 0.0, 7.0):
        assert order.bisect(score, BOTTOM) == sum(pair[0] < score for pair in model)
        assert order.bisect(score, TOP) == sum(pair[0] <= score for pair in model)
    for before, twin in twins:
        assert list(twin) == before


def test_random_keys_are_even() -> None:
    """Each key of a table that has grown and shrunk has about the same chance."""
    table = Table()
    for i in range(4000):
        table.set(b"%d" % i, i)
    for i in range(4000):
        if i % 5:
            table.pop(b"%d" % i)
    rng = random.Random(5)
    counts: dict[bytes | None, int] = {}
    for _ in range(40 * 800):
        key = table.random_key(rng)
        counts[key] = counts.get(key, 0) + 1
    # 40 expected each; chi-square with 799 degrees of freedom has a deviation of 40.
    assert sum((counts.get(key, 0) - 40) ** 2 / 40 for key in table) < 799 + 8 * 40
