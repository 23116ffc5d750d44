"""Values with named fields, which cost next to nothing to define: `@record` in the place of a frozen dataclass.

`dataclass(frozen=True, slots=True)` writes six functions for each class and has Python compile them, as often as a
program starts: a third of a millisecond a class, and a quarter of a node's start. Here all classes share the functions.

Fields are the annotations, defaults what stands behind them, fields of a base class that is a record come first, and
`__post_init__` is called. What else dataclasses can do (fresh defaults, order) they are still there for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """Make a class of immutable values: equal, and with equal hashes, when class and fields are."""
    own = tuple(cls.__annotations__)  # of this class alone
    fields: tuple[str, ...] = (*getattr(cls.__base__, "__match_args__", ()), *own)
    defaults = {**getattr(cls.__base__, "_record_defaults", {})}
    defaults.update((name, cls.__dict__[name]) for name in own if name in cls.__dict__)
    kept = {k: v for k, v in cls.__dict__.items() if k not in own and k not in ("__dict__", "__weakref__")}
    kept.update(
        __slots__=own, __match_args__=fields, _record_defaults=defaults, __setattr__=_refuse_to_set,
        __delattr__=_refuse_to_delete, __eq__=_equal, __hash__=_hash, __getstate__=_values, __setstate__=_fill,
    )  # fmt: skip
    kept.setdefault("__repr__", _repr)
    kind: Any = type(cls)
    made = kind(cls.__name__, cls.__bases__, kept)
    made.__init__ = _initializer(made, fields, defaults)
    made.__qualname__ = cls.__qualname__
    return made  # type: ignore[no-any-return]


def changed(value: T, **changes: Any) -> T:
    """A record like another but for some fields. Raises TypeError for fields that it hasn't."""
    fields: tuple[str, ...] = value.__match_args__  # type: ignore[attr-defined]
    return value.__class__(**dict(zip(fields, _values(value), strict=True)) | changes)


def _initializer(made: Any, fields: tuple[str, ...], defaults: dict[str, Any]) -> Callable[..., None]:
    """The `__init__` of one class."""
    puts = [getattr(made, name).__set__ for name in fields]  # past `__setattr__`, which refuses
    count = len(fields)
    after = getattr(made, "__post_init__", None)

    def __init__(self: Any, *args: Any, **named: Any) -> None:
        if named or len(args) != count:
            args = _complete(made.__name__, fields, defaults, args, named)
        for put, value in zip(puts, args, strict=True):
            put(self, value)
        if after is not None:
            after(self)

    return __init__


def _complete(
    what: str, fields: tuple[str, ...], defaults: dict[str, Any], args: tuple[Any, ...], named: dict[str, Any]
) -> tuple[Any, ...]:
    """All values in the order of the fields. Raises TypeError, as a function's call does."""
    if len(args) > len(fields):
        raise TypeError(f"{what} takes {len(fields)} values, not {len(args)}")
    given = dict(zip(fields, args, strict=False))
    if twice := given.keys() & named.keys():
        raise TypeError(f"{what} got {sorted(twice)} twice")
    if unknown := named.keys() - set(fields):
        raise TypeError(f"{what} has no {sorted(unknown)}")
    values = defaults | given | named
    if missing := [name for name in fields if name not in values]:
        raise TypeError(f"{what} needs {missing}")
    return tuple(values[name] for name in fields)


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self.__match_args__])


def _fill(self: Any, values: tuple[Any, ...]) -> None:
    for name, value in zip(self.__match_args__, values, strict=True):
        object.__setattr__(self, name, value)


def _equal(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _repr(self: Any) -> str:
    shown = ", ".join(f"{name}={value!r}" for name, value in zip(self.__match_args__, _values(self), strict=True))
    return f"{self.__class__.__qualname__}({shown})"


def _refuse_to_set(self: Any, name: str, value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
