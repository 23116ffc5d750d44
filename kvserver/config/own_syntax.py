"""The kinds of the few options whose values have a syntax of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kvserver.config.kinds import (
    MAX_BIND_ADDRESSES,
    BufferLimit,
    BufferLimits,
    ConfigError,
    Endpoint,
    Kind,
    SavePoint,
    format_memory,
    parse_integer,
    parse_memory,
)

NOTIFY_ALL = "g$lshzxetd"
"""The event classes that `A` stands for, in the order CONFIG GET shows them when they are not all there."""
_NOTIFY_TAIL = "KEm"
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class SavePoints(Kind):
    """`save <seconds> <changes> ...`; `save ""` means no save points; lines of a file add up."""

    multi = True
    shape = "<seconds> <changes> ..."

    def parse(self, args: Sequence[str]) -> tuple[SavePoint, ...]:
        """Pairs of seconds and changes; `""` for none. Raises ConfigError for anything else."""
        if list(args) in ([], [""]):
            return ()
        numbers = [parse_integer(arg) for arg in args]
        pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
        points = [
            SavePoint(seconds, changes)
            for seconds, changes in pairs
            if seconds is not None and changes is not None and seconds >= 1 and changes >= 0
        ]
        if len(args) % 2 or len(points) != len(pairs):
            raise ConfigError("Invalid save parameters")
        return tuple(points)

    def show(self, value: tuple[SavePoint, ...]) -> str:
        """`seconds changes …`, in one line."""
        return " ".join(f"{point.seconds} {point.changes}" for point in value)

    def combine(
        self, old: tuple[SavePoint, ...], new: tuple[SavePoint, ...], *, repeated: bool
    ) -> tuple[SavePoint, ...]:
        """Lines of a file add up; an empty one, or CONFIG SET, replaces all before it."""
        return old + new if repeated and new else new

    def lines(self, value: tuple[SavePoint, ...]) -> list[str]:
        """A line each; `""` so that none stays none."""
        return [f"{point.seconds} {point.changes}" for point in value] or ['""']


@dataclass(frozen=True, slots=True)
class OutputLimits(Kind):
    """`client-output-buffer-limit <class> <hard> <soft> <seconds> ...`; classes not named keep theirs."""

    multi = True
    shape = "<class> <hard bytes> <soft bytes> <soft seconds> ..."

    def parse(self, args: Sequence[str]) -> dict[str, BufferLimit]:
        """Fours of class, hard bytes, soft bytes, soft seconds. Raises ConfigError for anything else."""
        if not args or len(args) % 4:
            raise ConfigError("Wrong number of arguments in buffer limit configuration.")
        limits: dict[str, BufferLimit] = {}
        for name, *numbers in zip(args[::4], args[1::4], args[2::4], args[3::4], strict=True):
            group = {"slave": "replica"}.get(name.lower(), name.lower())
            if group not in BufferLimits._fields:
                raise ConfigError("Invalid client class specified in buffer limit configuration.")
            hard, soft = parse_memory(numbers[0]), parse_memory(numbers[1])
            seconds = parse_integer(numbers[2])
            if hard is None or soft is None or seconds is None or seconds < 0:
                raise ConfigError("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
            limits[group] = BufferLimit(hard, soft, seconds)
        return limits

    def combine(self, old: BufferLimits | None, new: dict[str, BufferLimit], *, repeated: bool) -> BufferLimits:
        """The classes named replace theirs, the others stay."""
        return BufferLimits(**new) if old is None else old._replace(**new)

    def show(self, value: BufferLimits) -> str:
        """All classes in one line, in bytes."""
        # The wire name of the middle class never followed the renaming to "replica".
        names = ("normal", "slave", "pubsub")
        return " ".join(f"{name} {a} {b} {c}" for name, (a, b, c) in zip(names, value, strict=True))

    def lines(self, value: BufferLimits) -> list[str]:
        """A line a class, with units."""
        return [
            f"{name} {format_memory(hard)} {format_memory(soft)} {seconds}"
            for name, (hard, soft, seconds) in zip(BufferLimits._fields, value, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Addresses(Kind):
    """`bind [address ...]`: a leading `-` marks an address that may be missing, `*` is every IPv4 one."""

    multi = True
    shape = "<address> ..."

    def parse(self, args: Sequence[str]) -> tuple[str, ...]:
        """Addresses as they are; `""` for none. Raises ConfigError for too many."""
        if len(args) > MAX_BIND_ADDRESSES:
            raise ConfigError("Too many bind addresses specified.")
        return () if list(args) == [""] else tuple(args)

    def show(self, value: tuple[str, ...]) -> str:
        """The addresses, separated by spaces."""
        return " ".join(value)

    def lines(self, value: tuple[str, ...]) -> list[str]:
        """One line; `""` for none."""
        return [" ".join(value) or '""']


@dataclass(frozen=True, slots=True)
class PrimaryAddress(Kind):
    """`replicaof <host> <port>`, or `no one`: the value is an Endpoint, or None."""

    multi = True
    shape = "<host> <port> | no one"

    def parse(self, args: Sequence[str]) -> Endpoint | None:
        """Host and port; `no one`, or `""`, for none. Raises ConfigError for anything else."""
        if list(args) == [""]:
            return None
        if len(args) != 2:
            raise ConfigError("wrong number of arguments")
        host, port_text = args
        if host.lower() == "no" and port_text.lower() == "one":
            return None
        port = parse_integer(port_text)
        if port is None or not 0 <= port <= 65535:
            raise ConfigError("Invalid master port")
        return Endpoint(host, port)

    def show(self, value: Endpoint | None) -> str:
        """`host port`, empty for none."""
        return f"{value.host} {value.port}" if value else ""

    def lines(self, value: Endpoint | None) -> list[str]:
        """One line, none for a primary."""
        return [self.show(value)] if value else []


@dataclass(frozen=True, slots=True)
class OomScores(Kind):
    """The three adjustments of the kernel's out-of-memory score: primary, replica, child processes."""

    multi = True
    shape = "<primary> <replica> <children>"

    def parse(self, args: Sequence[str]) -> tuple[int, ...]:
        """Three scores from -2000 to 2000, ascending. Raises ConfigError otherwise."""
        if len(args) != 3:
            raise ConfigError("wrong number of arguments")
        scores = [parse_integer(arg) for arg in args]
        if any(score is None or not -2000 <= score <= 2000 for score in scores):
            raise ConfigError("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
        return tuple(score for score in scores if score is not None)

    def show(self, value: tuple[int, ...]) -> str:
        """The scores, separated by spaces."""
        return " ".join(map(str, value))


@dataclass(frozen=True, slots=True)
class EventClasses(Kind):
    """notify-keyspace-events: letters of event classes, shown in one canonical order."""

    shape = "letters"

    def parse(self, args: Sequence[str]) -> str:
        """Letters of classes, shortened with `A` where that stands for them. Raises ConfigError for an unknown one."""
        letters = set(args[0])
        if letters - set(NOTIFY_ALL + _NOTIFY_TAIL + "nA"):
            raise ConfigError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        if "A" in letters or letters >= set(NOTIFY_ALL):
            head = "A"
        else:
            head = "".join(letter for letter in NOTIFY_ALL if letter in letters)
        if "n" in letters:
            head += "n"
        return head + "".join(letter for letter in _NOTIFY_TAIL if letter in letters)

    def show(self, value: str) -> str:
        """The letters as Redis shows them."""
        # Redis leaves the `n` (new key) class out of what it shows beside `A`.
        return value.replace("n", "") if value.startswith("A") else value

    def lines(self, value: str) -> list[str]:
        """In quotes: an empty value is a value."""
        return [f'"{value}"']


@dataclass(frozen=True, slots=True)
class Percentiles(Kind):
    """latency-tracking-info-percentiles: numbers from 0 to 100; `""` means none."""

    multi = True
    shape = "<percentile> ..."

    def parse(self, args: Sequence[str]) -> tuple[float, ...]:
        """Percentiles from 0 to 100; `""` for none. Raises ConfigError for anything else."""
        if list(args) == [""]:
            return ()
        if not args or not all(_DECIMAL.match(arg) for arg in args):
            raise ConfigError("Invalid latency-tracking-info-percentiles parameters")
        values = tuple(float(arg) for arg in args)
        if not all(0.0 <= value <= 100.0 for value in values):
            raise ConfigError("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
        return values

    def show(self, value: tuple[float, ...]) -> str:
        """The percentiles, separated by spaces, without needless zeros."""
        return " ".join(format_percentile(number) for number in value)

    def lines(self, value: tuple[float, ...]) -> list[str]:
        """One line; `""` for none."""
        return [self.show(value) or '""']


def format_percentile(value: float) -> str:
    """At most six decimals, without the zeros at the end (99.9, 50)."""
    return f"{value:f}".rstrip("0").rstrip(".")
