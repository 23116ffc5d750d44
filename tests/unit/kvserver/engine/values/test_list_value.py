"""A list in chunks against a plain Python list."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kvserver.engine.values import list_value
from kvserver.engine.values.limits import Limits
from kvserver.engine.values.list_value import ListValue

ELEMENTS = st.sampled_from([b"a", b"b", b"c"])
STEPS = st.lists(st.tuples(st.sampled_from("htHTiprRcfm"), st.integers(0, 40), ELEMENTS), max_size=60)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_value, "CHUNK", 4)


def remove(model: list[bytes], element: bytes, limit: int, forward: bool) -> int:
    """LREM on a plain list."""
    places = [i for i, other in enumerate(model) if other == element]
    if not forward:
        places.reverse()
    gone = places[:limit] if limit else places
    for place in sorted(gone, reverse=True):
        del model[place]
    return len(gone)


def step(value: ListValue, model: list[bytes], what: str, n: int, element: bytes) -> None:
    """Do the same to both."""
    size = len(model)
    if what == "h":
        value.push_head(element)
        model.insert(0, element)
    elif what == "t":
        value.push_tail(element)
        model.append(element)
    elif what == "i":
        value.insert(n % (size + 1), element)
        model.insert(n % (size + 1), element)
    elif what in "rR":
        assert value.remove(element, n % 4, what == "r") == remove(model, element, n % 4, what == "r")
    elif what == "c":
        value.clear()
        model.clear()
    elif what == "f":
        assert value.find(element) == (model.index(element) if element in model else -1)
    elif not size:
        return
    elif what == "H":
        assert value.pop_head() == model.pop(0)
    elif what == "T":
        assert value.pop_tail() == model.pop()
    elif what == "p":
        value.put(n % size, element)
        model[n % size] = element
    else:
        start = n % size
        value.trim(start, size - (size - start) // 3)
        model[:] = model[start : size - (size - start) // 3]


@given(STEPS, st.integers(0, 30))
def test_does_what_a_list_does(steps: list[tuple[str, int, bytes]], freeze_at: int) -> None:
    """Any sequence of operations leaves what a plain list would hold; frozen views and clones don't change."""
    value, model = ListValue(Limits()), list[bytes]()
    views = []
    for number, (what, n, element) in enumerate(steps):
        if number == freeze_at:
            views = [(list(model), value.freeze(), value.clone())]
        step(value, model, what, n, element)
        assert len(value) == len(model)
    assert list(value) == model
    assert value.slice(0, len(model)) == model
    for most in (3, len(model)):
        assert list(value.places(b"a", True, most)) == [i for i, x in enumerate(model[:most]) if x == b"a"]
        low = max(len(model) - most, 0)
        backwards = [i for i in range(len(model) - 1, low - 1, -1) if model[i] == b"a"]
        assert list(value.places(b"a", False, most)) == backwards
    for before, frozen, clone in views:
        assert [element for chunk in frozen.chunks for element in chunk] == before
        assert list(clone) == before
