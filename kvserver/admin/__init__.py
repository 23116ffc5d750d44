"""The commands that administer a running data node, a file a group, and how they are plugged in."""

from kvserver.admin.plugin import attach

__all__ = ["attach"]
