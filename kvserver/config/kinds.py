"""The kinds of values an option may have: how each is read, shown by CONFIG GET and written to a file.

A kind turns the arguments of a directive (or the single value of CONFIG SET, already cut on blanks when the
kind takes several) into a typed value and back. A value that doesn't fit raises `ConfigError` with the
sentence Redis gives in that case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kvserver.config.quoting import decode, encode, quote

INT_MAX = 2**31 - 1
UINT_MAX = 2**32 - 1
LONG_MAX = 2**63 - 1
ULONG_MAX = 2**64 - 1
MAX_BIND_ADDRESSES = 16

_INTEGER = re.compile(r"(?:0|-?[1-9][0-9]{0,19})\Z", re.ASCII)
_MEMORY = re.compile(r"([0-9]{0,30})(b|kb?|mb?|gb?)?\Z", re.ASCII | re.IGNORECASE)
_UNITS = {
    "": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 1000**2, "mb": 1 << 20, "g": 1000**3, "gb": 1 << 30,
}  # fmt: skip


class ConfigError(ValueError):
    """A value or a directive that can't be accepted; the text says why, as Redis would."""


class BufferLimit(NamedTuple):
    """Output-buffer limit of a class of clients: bytes, bytes, and seconds above the second. 0 = none."""

    hard_bytes: int
    soft_bytes: int
    soft_seconds: int

    def at_least(self, size: int) -> BufferLimit:
        """The same with a hard limit of at least `size` bytes, where there is one."""
        return self._replace(hard_bytes=max(self.hard_bytes, size)) if self.hard_bytes else self


class BufferLimits(NamedTuple):
    """client-output-buffer-limit, by class."""

    normal: BufferLimit
    replica: BufferLimit
    pubsub: BufferLimit


class SavePoint(NamedTuple):
    """A snapshot is due once `seconds` have passed and at least `changes` writes happened since the last."""

    seconds: int
    changes: int


class Endpoint(NamedTuple):
    """A host and a TCP port."""

    host: str
    port: int


def parse_integer(text: str) -> int | None:
    """A number exactly as Redis's string2ll takes it: no blanks, sign plus, leading zeros or underscores."""
    if not _INTEGER.match(text):
        return None
    value = int(text)
    return value if -LONG_MAX - 1 <= value <= LONG_MAX else None


def parse_memory(text: str) -> int | None:
    """Bytes of `10`, `10b`, `1k` (1000), `1kb` (1024), ... in either case; None when it is none of these."""
    match = _MEMORY.match(text)
    if match is None:
        return None
    return min(int(match[1] or "0"), ULONG_MAX) * _UNITS[(match[2] or "").lower()]


def format_memory(value: int) -> str:
    """The shortest exact form for a file: whole gb, mb or kb, else plain bytes."""
    for unit, size in (("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10)):
        if value and value % size == 0:
            return f"{value // size}{unit}"
    return str(value)


@dataclass(frozen=True, slots=True)
class Kind:
    """Base of all kinds. `multi`: the directive takes several arguments."""

    multi = False
    shape = ""

    def parse(self, args: Sequence[str]) -> Any:
        """The typed value of `args`, or ConfigError."""
        raise NotImplementedError

    def show(self, value: Any) -> str:
        """The value as CONFIG GET replies it."""
        return str(value)

    def combine(self, old: Any, new: Any, *, repeated: bool) -> Any:
        """What is in force after `new` was set over `old`; `repeated`: an earlier line had the option."""
        return new

    def lines(self, value: Any) -> list[str]:
        """The arguments of each line that CONFIG REWRITE writes for this value (none: the line goes)."""
        return [self.show(value)]


@dataclass(frozen=True, slots=True)
class Bool(Kind):
    """yes or no."""

    shape = "yes | no"

    def parse(self, args: Sequence[str]) -> bool:
        """`yes` or `no`, in any case. Raises ConfigError for anything else."""
        text = args[0].lower()
        if text not in ("yes", "no"):
            raise ConfigError("argument must be 'yes' or 'no'")
        return text == "yes"

    def show(self, value: bool) -> str:
        """`yes` or `no`."""
        return "yes" if value else "no"


@dataclass(frozen=True, slots=True)
class Int(Kind):
    """An integer in a closed range, silently brought into `clamp` when that is given."""

    low: int = 0
    high: int = INT_MAX
    clamp: tuple[int, int] | None = None

    shape = "integer"

    def parse(self, args: Sequence[str]) -> int:
        """A decimal integer. Raises ConfigError when it isn't one, or out of the option's range."""
        value = parse_integer(args[0])
        if value is None:
            raise ConfigError("argument couldn't be parsed into an integer")
        if not self.low <= value <= self.high:
            raise ConfigError(f"argument must be between {self.low} and {self.high} inclusive")
        return value if self.clamp is None else max(self.clamp[0], min(self.clamp[1], value))


@dataclass(frozen=True, slots=True)
class Octal(Kind):
    """File permissions in octal digits."""

    high: int = 0o777

    shape = "octal"

    def parse(self, args: Sequence[str]) -> int:
        """Octal digits, as chmod takes them. Raises ConfigError when they aren't, or are too large."""
        if not re.match(r"[0-7]{1,20}\Z", args[0], re.ASCII):
            raise ConfigError("argument couldn't be parsed as an octal number")
        value = int(args[0], 8)
        if value > self.high:
            raise ConfigError(f"argument must be between 0 and {self.high:o} inclusive")
        return value

    def show(self, value: int) -> str:
        """Octal digits."""
        return f"{value:o}"


@dataclass(frozen=True, slots=True)
class Memory(Kind):
    """A size in bytes, with units; with `percent` also a share of maxmemory, held as a negative number."""

    low: int = 0
    high: int = LONG_MAX
    percent: bool = False

    shape = "bytes"

    def parse(self, args: Sequence[str]) -> int:
        """Bytes, from a number with a unit (`64mb`); -n for n percent. Raises ConfigError for neither."""
        text = args[0]
        if self.percent and text.endswith("%"):
            share = parse_integer(text[:-1])
            if share is None or share < 0:
                raise ConfigError("argument must be a memory or percent value")
            if share > 100:
                raise ConfigError("percentage argument must be less or equal to 100")
            return -share
        value = parse_memory(text)
        if value is None:
            wanted = "memory or percent" if self.percent else "memory"
            raise ConfigError(f"argument must be a {wanted} value")
        if not self.low <= value <= self.high:
            raise ConfigError(f"argument must be between {self.low} and {self.high} inclusive")
        return value

    def show(self, value: int) -> str:
        """Plain bytes, or percent."""
        return f"{-value}%" if value < 0 else str(value)

    def lines(self, value: int) -> list[str]:
        """With the largest unit that divides it."""
        return [self.show(value) if value < 0 else format_memory(value)]


@dataclass(frozen=True, slots=True)
class Enum(Kind):
    """One word of a list; `same` maps words that mean another to the one shown."""

    choices: tuple[str, ...] = ()
    same: tuple[tuple[str, str], ...] = ()

    def parse(self, args: Sequence[str]) -> str:
        """One of the choices, in any case; a synonym becomes the choice it stands for. Raises ConfigError otherwise."""
        text = args[0].lower()
        if text not in self.choices:
            raise ConfigError("argument(s) must be one of the following: " + ", ".join(self.choices))
        return dict(self.same).get(text, text)


@dataclass(frozen=True, slots=True)
class SignalActions(Kind):
    """What SHUTDOWN flags a signal implies: a subset of save, nosave, now, force; none is `default`."""

    multi = True
    shape = "default | save | nosave | now | force ..."

    def parse(self, args: Sequence[str]) -> tuple[str, ...]:
        """What a signal's shutdown does, in Redis's order. Raises ConfigError for unknown or contradictory words."""
        order = ("default", "save", "nosave", "now", "force")
        given = {arg.lower() for arg in args}
        if not given or not given <= set(order):
            raise ConfigError("argument(s) must be one of the following: " + ", ".join(order))
        if {"save", "nosave"} <= given:
            raise ConfigError("shutdown options SAVE and NOSAVE can't be used simultaneously")
        return tuple(word for word in order[1:] if word in given)

    def show(self, value: tuple[str, ...]) -> str:
        """The words in Redis's order, `default` for none."""
        return " ".join(value) or "default"


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """Free text. `unset_when_empty`: the empty text means that the option isn't there at all."""

    unset_when_empty: bool = False
    check: Callable[[str], str | None] | None = None

    shape = "text"

    def parse(self, args: Sequence[str]) -> str:
        """The text as it is. Raises ConfigError when the option's check finds a problem."""
        problem = self.check(args[0]) if self.check else None
        if problem:
            raise ConfigError(problem)
        return args[0]

    def lines(self, value: str) -> list[str]:
        """Quoted; no line at all for an empty one that means unset."""
        return [] if self.unset_when_empty and not value else [quote(value)]


@dataclass(frozen=True, slots=True)
class Secret(Kind):
    """A user name or password: bytes, compared with what clients send; empty means none."""

    shape = "text"

    def parse(self, args: Sequence[str]) -> bytes:
        """The bytes of the text."""
        return encode(args[0])

    def show(self, value: bytes) -> str:
        """The text: CONFIG GET shows secrets, as Redis's does."""
        return decode(value)

    def lines(self, value: bytes) -> list[str]:
        """Quoted; no line for an empty one."""
        return [quote(decode(value))] if value else []
