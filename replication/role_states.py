"""The states of a node's role. Pure; `role` has the ways from one to another."""

from __future__ import annotations

import enum


class State(enum.Enum):
    """What the node is; the value says it in words."""

    STARTING = "loads its data set, and serves nobody"
    PRIMARY = "takes writes"
    HANDING_OVER = "holds writes back until a replica has caught up"
    ASKING = "follows that replica, and asks it to take over"
    CONNECTING = "follows, and waits to be let continue or to get a data set"
    SYNCING = "follows, and receives a data set"
    STREAMING = "follows, and applies the stream"
    RESTING = "belongs to a quorum, and neither leads nor follows"


LEADING = frozenset((State.PRIMARY, State.HANDING_OVER))
FOLLOWING = frozenset((State.ASKING, State.CONNECTING, State.SYNCING, State.STREAMING))
