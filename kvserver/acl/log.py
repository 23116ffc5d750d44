"""What was refused, and to whom: ACL LOG."""

from __future__ import annotations

from dataclasses import dataclass

GROUPED_MS = 60000
"""Refusals of the same kind are one entry as long as no more time than this lies between them."""
LOOKED_THROUGH = 10
"""Only the newest entries are looked through for one of the same kind."""


@dataclass(slots=True)
class Entry:
    """Refusals of one kind: how many, why, where, what, whom, and the client of the last one."""

    reason: str  # "command", "key", "channel" or "auth"
    context: str  # "toplevel", "multi" or "lua"
    what: bytes
    user: bytes
    client: bytes
    at_ms: int
    count: int = 1


class AclLog:
    """The newest entries, newest first."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, new: Entry, limit: int) -> None:
        """Note a refusal, as one more of an entry of its kind or as an entry of its own."""
        for position, old in enumerate(self.entries[:LOOKED_THROUGH]):
            same = (old.reason, old.context, old.what, old.user) == (new.reason, new.context, new.what, new.user)
            if same and new.at_ms - old.at_ms <= GROUPED_MS:
                new.count = old.count + 1
                del self.entries[position]
                break
        self.entries.insert(0, new)
        self.trim(limit)

    def trim(self, limit: int) -> None:
        """Drop the oldest beyond `limit`."""
        del self.entries[max(0, limit) :]

    def clear(self) -> None:
        """Forget all."""
        self.entries.clear()
