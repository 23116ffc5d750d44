"""DEBUG: aids for tests and for the curious, guarded by enable-debug-command."""

from kvserver.admin.debug.command import HANDLERS

__all__ = ["HANDLERS"]
