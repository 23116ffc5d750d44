"""Plugs this package into a data node."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvserver.node import Node


def attach(node: Node) -> None:
    """Add this package's handlers, gates and work to the node."""
