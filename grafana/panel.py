"""What a panel is, before any tool draws it. Pure.

In expressions `$job` and `$__rate_interval` stand for what Grafana puts there; `%s` is never used, so that an
expression can be copied from here into Prometheus.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """How a panel is drawn."""

    LINES = "time series"
    NUMBER = "stat"
    STATES = "state timeline"


class Query(NamedTuple):
    """One expression, and how its series are called in the legend."""

    expr: str
    legend: str


class Panel(NamedTuple):
    """One panel. `unit` is one of Grafana's; `width` is in 24ths of the screen."""

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: Kind = Kind.LINES
    width: int = 8
    height: int = 7
    states: tuple[tuple[int, str, str], ...] = ()
    """Value, text and colour of each state, for numbers that stand for states."""


class Section(NamedTuple):
    """A row of the dashboard with its panels."""

    title: str
    panels: tuple[Panel, ...]


class Board(NamedTuple):
    """A whole dashboard; the file is called after its `uid`."""

    uid: str
    title: str
    description: str
    sections: tuple[Section, ...]
