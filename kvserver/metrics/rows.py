"""What a metric is: one row of a catalogue, read when somebody asks. Pure.

Nothing is counted here. The engine and the shells keep plain integers anyway; a row says what the number is
called, what it means, and where it stands. `read` gets whatever the catalogue is about (a `NodeView` for a data
node) and gives samples, each a tuple of label values and a number; no sample, no line in the exposition.

Names follow Prometheus's conventions: a prefix, base units (seconds, bytes), `_total` on counters alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

PREFIX = "understudy_"
GAUGE = "gauge"
COUNTER = "counter"
HISTOGRAM = "histogram"

Sample = tuple[tuple[str, ...], Any]
"""Label values in the order of the row's labels, and the number (for a histogram a `Distribution`)."""


class Distribution(NamedTuple):
    """A histogram's state: upper bounds, how many values fell into each bucket (one more for the rest), sum."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


class Metric(NamedTuple):
    """One row of a catalogue."""

    name: str
    """Without the prefix."""
    kind: str
    help: str
    read: Callable[[Any], Iterable[Sample]]
    labels: tuple[str, ...] = ()


def gauge(name: str, help_: str, value: Callable[[Any], float | None]) -> Metric:
    """A row for one number that goes up and down; None when it has no meaning now."""
    return Metric(name, GAUGE, help_, _single(value))


def counter(name: str, help_: str, value: Callable[[Any], float | None]) -> Metric:
    """A row for one number that only grows; the name ends in `_total`."""
    return Metric(name, COUNTER, help_, _single(value))


def _single(value: Callable[[Any], float | None]) -> Callable[[Any], list[Sample]]:
    def read(view: Any) -> list[Sample]:
        number = value(view)
        return [] if number is None else [((), number)]

    return read
