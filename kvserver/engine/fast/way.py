"""Uncompiled there is no fast way: every request goes the careful one. See `way.pyx` for what a compiled build has."""

from __future__ import annotations

from typing import Any


class FastWay:
    """Serves nothing; see the module's docstring."""

    def __init__(self, engine: Any) -> None:
        """`engine`: whose requests are served."""

    def serve(self, c: Any, parser: Any) -> int:
        """Serve requests from where the parser stands as long as forms answer; return how many were served."""
        return 0

    def repeat(self, c: Any, parser: Any) -> int:
        """Do what a log says that somebody else has, as long as forms answer; return how many requests those were."""
        return 0

    def take(self) -> bytes:
        """Return the replies that have gathered."""
        return b""
