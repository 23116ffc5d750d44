"""CLIENT: one file for what describes clients, one for what acts on them, one for the caller itself."""

from kvserver.admin.client import actions, listing, own

HANDLERS = {**listing.HANDLERS, **actions.HANDLERS, **own.HANDLERS}

__all__ = ["HANDLERS"]
