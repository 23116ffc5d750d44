"""Keys that hold strings, straight from the file into a table. Uncompiled none go that way; see `strings.pyx`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class StringFiller:
    """Takes over no key; see the module's docstring."""

    def __init__(self, dbs: Sequence[Any], now_ms: int, keep_expired: bool) -> None:
        """`dbs` are to be filled; a key whose time was up at `now_ms` is left to others, unless `keep_expired`."""

    def fill(self, reader: Any, db: int) -> int:
        """Take over keys of database `db` from where the reader stands; how many. The reader stands behind them."""
        return 0

    def taken(self) -> int:
        """How many keys were taken over since this was asked last."""
        return 0
