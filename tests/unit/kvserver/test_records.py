"""Records: what a frozen dataclass with slots is, without its code."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import pytest

from kvserver.records import changed, record


@record
class Point:
    """A base with a default."""

    x: int
    y: int = 2


@record
class Named(Point):
    """A field more, and a look at what was given."""

    name: str = ""

    def __post_init__(self) -> None:
        if self.name == "bad":
            raise ValueError(self.name)


@record
class Nothing:
    """No fields at all."""


@dataclass(frozen=True, slots=True)
class Twin:
    """What a dataclass makes of Point's fields."""

    x: int
    y: int = 2


@pytest.mark.parametrize("args", [(1,), (1, 3), (), (1, 2, 3)])
@pytest.mark.parametrize("named", [{}, {"y": 4}, {"x": 5}, {"x": 5, "y": 6}, {"z": 1}])
def test_values_are_taken_as_by_a_dataclass(args: tuple[int, ...], named: dict[str, int]) -> None:
    """By place, by name, by default; what is too much, missing or unknown is a TypeError there and here."""

    def made(kind: Any) -> object:
        try:
            value = kind(*args, **named)
        except TypeError:
            return TypeError
        return value.x, value.y, repr(value).partition("(")[2]

    assert made(Point) == made(Twin)


def test_equal_values_of_one_class_are_equal() -> None:
    """Values of two classes differ even with equal fields, and a record with no field is true."""
    assert Point(1) == Point(1, 2)
    assert hash(Point(1)) == hash(Point(1, 2))
    assert Point(1) != Point(2)
    assert Point(1) != Named(1)
    others: list[object] = [Nothing(), Point(1)]
    assert others[0] == Nothing() != others[1]
    assert bool(Nothing())
    assert {Point(1): "one"}[Point(1)] == "one"


def test_a_record_stays_what_it_is() -> None:
    """Fields can't be set or deleted, others not added; copies and pickles are equal."""
    value = Named(1, name="a")
    for name in ("x", "other"):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, 2)
    with pytest.raises(FrozenInstanceError):
        del value.x
    assert not hasattr(value, "__dict__")
    assert copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value
    assert changed(value, y=5) == Named(1, 5, "a")
    with pytest.raises(TypeError):
        changed(value, z=5)
    assert repr(value) == "Named(x=1, y=2, name='a')"


def test_post_init_and_matching() -> None:
    """`__post_init__` may refuse; a `case` takes the fields by their places, the base's first."""
    with pytest.raises(ValueError, match="bad"):
        Named(1, name="bad")
    match Named(1, 3, "n"):
        case Named(x, y, name):
            assert (x, y, name) == (1, 3, "n")
