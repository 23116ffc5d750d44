"""What the rows of a data node read: the engine's and the server's counters, and the fields of INFO. Pure.

Other packages show their numbers in INFO sections; a view runs each section at most once per scrape, and finds
fields by Redis's names, so that a metric and INFO can't disagree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple


class Process(NamedTuple):
    """What the operating system says about this process."""

    started_s: float
    """Unix time, seconds."""
    resident_bytes: int
    cpu_s: float


class NodeView:
    """One scrape of a data node. `engine` and `server` are the node's; `process` was read just before."""

    def __init__(self, engine: Any, server: Any, process: Process, stalls: Any = None) -> None:
        self.engine = engine
        self.state = engine.state
        self.server = server
        self.process = process
        self.stalls = stalls
        self.config = engine.services.config
        self._sections: dict[str, dict[str, Any]] = {}

    def info(self, section: str) -> dict[str, Any]:
        """The fields of an INFO section (in lower case); empty when the node has none of that name."""
        fields = self._sections.get(section)
        if fields is None:
            fields = self._sections[section] = {}
            for provider in self.engine.services.contributions.info.get(section, ()):
                fields.update(provider())
        return fields

    def number(self, section: str, field: str) -> float | None:
        """A numeric field of INFO; None when it isn't there, or isn't a number."""
        return as_number(self.info(section).get(field))

    def flag(self, section: str, field: str, good: str) -> float | None:
        """1 when a field of INFO has the value `good`, 0 when it has another, None when it isn't there."""
        value = as_text(self.info(section).get(field))
        return None if value is None else float(value == good)

    def rows(self) -> Iterator[Any]:
        """The rows of commands and subcommands that have been used."""
        for row in dict.fromkeys(self.engine.rows.values()):
            for each in (row, *(row.subs or {}).values()):
                if each.calls or each.rejected:
                    yield each

    def replicas(self) -> Iterator[dict[str, str]]:
        """The attached replicas as INFO has them: ip, port, state, offset, lag."""
        for name, value in self.info("replication").items():
            if name.startswith("slave") and name[5:].isdigit():
                yield dict(part.partition("=")[::2] for part in (as_text(value) or "").split(","))


def as_text(value: Any) -> str | None:
    """A field's value as text."""
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def as_number(value: Any) -> float | None:
    """A field's value as a number, None when it is none."""
    if isinstance(value, (int, float)):
        return float(value)
    text = as_text(value)
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
