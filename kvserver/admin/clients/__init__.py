"""CLIENT: one file for what describes clients, one for what acts on them, one for the caller itself."""

from kvserver.admin.clients import actions, listing, own, tracking

HANDLERS = {**listing.HANDLERS, **actions.HANDLERS, **own.HANDLERS, **tracking.HANDLERS}

__all__ = ["HANDLERS"]
