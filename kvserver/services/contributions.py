"""What each part adds to lists that another part shows or asks: INFO, DEBUG, metrics, readiness, memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvserver.engine.command_table.row import Handler
    from kvserver.metrics.rows import Metric

Fields = Iterable[tuple[str, object]]
"""Names and values of fields, in the order in which they are shown."""
Provider = Callable[[], Fields]


class Contributions:
    """All such lists of a node; filled while it is put together, and only read from then on."""

    def __init__(self) -> None:
        self.info: dict[str, list[Provider]] = {}
        """By section in lower case. A later provider's field replaces an earlier one's of the same name."""
        self.facts: list[Callable[[], list[tuple[bytes, bytes]]]] = []
        """Auxiliary fields of a snapshot taken now, which say more of the log's history."""
        self.debug: dict[bytes, Handler] = {}
        """Subcommands of DEBUG, by name in upper case."""
        self.metrics: list[Metric] = []
        """Rows shown behind the node's own; what they read is a `kvserver.metrics.view.NodeView`."""
        self.readiness: list[Callable[[], str]] = []
        """Each says why the node isn't ready to serve, or ""."""
        self.unlimited: list[Callable[[], int]] = []
        """Bytes in use that don't count against maxmemory, since evicting keys would make more of them."""

    def add_info(self, section: str, provider: Provider) -> None:
        """Show more fields in a section of INFO (its name in lower case)."""
        self.info.setdefault(section, []).append(provider)

    def unlimited_bytes(self) -> int:
        """The sum of what doesn't count against maxmemory."""
        return sum(bytes_of() for bytes_of in self.unlimited)
