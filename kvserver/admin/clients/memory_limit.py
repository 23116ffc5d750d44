"""maxmemory-clients: when all clients together hold too much, the largest are cut off.

Theory of operation.  What a client holds is what its connection takes at rest, requests not yet served, replies
and messages not yet taken, and what MULTI, WATCH, subscriptions and prefixes of CLIENT TRACKING keep for it.  The
connection tells after each turn that a client may hold more (`note`), so that the sum is kept without walking
over all clients, and before the next request whoever is largest goes (`settle`).  A size that has shrunk
meanwhile (a peer that has taken its replies) is corrected before it costs a client its connection, and for a few
clients at each tick.  Replicas and the primary don't count; CLIENT NO-EVICT spares a client from being cut off,
not from being counted.  Without a limit nobody is shown anything.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import nlargest

from kvserver.client.reasons import Reason
from kvserver.config import Config
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import Session

CLIENT_BYTES = 4200
"""What a connection takes at rest: session, parser, the event loop's transport and buffers, as measured."""
SUBSCRIPTION_BYTES = 350
"""A channel or pattern that nobody else listens to: its name, its place in two tables, the table of its clients."""
WATCH_BYTES = 400
"""A watched key, likewise."""
PREFIX_BYTES = 500
"""A prefix of CLIENT TRACKING BCAST, with the tables of its clients and of its changed keys."""
QUEUED_BYTES = 280
"""What a request in MULTI's queue takes beside its bytes: the objects' heads and their places in lists."""
VICTIMS = 16
"""Largest clients that are looked at in a go."""
CHECKED = 100
"""Clients measured anew at each tick."""
FIRST = 1000
"""Clients measured at once when the limit is set."""
MORE = 64 * 1024
"""When nobody may be cut off although the sum is above the limit, it has to grow by so much before the next look."""


class ClientLimit:
    """Keeps the clients of one engine below the limit, and counts whom it has cut off."""

    def __init__(self, engine: Engine, config: Config) -> None:
        self.engine = engine
        self.config = config
        self.evicted = 0
        self.on_over: Callable[[], None] = _nothing  # asks the shell to call `settle` soon
        self.limit = 0  # bytes that all clients may hold together; 0 is no limit
        self.total = 0  # bytes they hold
        self.sizes: dict[Session, int] = {}
        self.due = False  # the shell has been asked
        self.in_vain = 0  # the sum at which nobody could be cut off; 0 = look
        self._to_check: list[Session] = []
        self._lately = False  # whether clients were cut off since `cut_lately` was asked

    def reset(self) -> None:
        """Forget what was counted."""
        self.evicted = 0

    def configure(self) -> None:
        """Put the options in force."""
        limit = self.config.maxmemory_clients
        self.limit = limit if limit >= 0 else self.config.maxmemory * -limit // 100
        self.sizes.clear()
        self.total = 0
        self._to_check.clear()
        self.tick(FIRST)

    def note(self, c: Session) -> None:
        """A client may hold more now, or less."""
        size = held_by(c) if c.kind == "normal" and c.id in self.engine.sessions else 0
        self.total += size - self.sizes.get(c, 0)
        if size:
            self.sizes[c] = size
        else:
            self.sizes.pop(c, None)
        if self.total > self.limit and not self.due and self.total > self.in_vain:
            self.due = True
            self.on_over()

    def forget(self, c: Session) -> None:
        """A client is gone."""
        self.total -= self.sizes.pop(c, 0)

    def settle(self) -> None:
        """Cut clients off if the sum is known to be above the limit."""
        if self.due:
            self.enforce()

    def tick(self, count: int = CHECKED) -> None:
        """Measure so many clients anew, others the next time; to be called ten times a second."""
        self.in_vain = 0
        if not self.limit:
            return
        if not self._to_check:
            self._to_check = list(self.engine.sessions.values())
        for c in self._to_check[-count:]:
            self.note(c)
        del self._to_check[-count:]
        self.settle()

    def cut_lately(self) -> bool:
        """Enforce the limit; True when clients were cut off since this was asked last."""
        self.enforce()
        lately, self._lately = self._lately, False
        return lately

    def enforce(self) -> None:
        """Cut off the largest clients until the rest is below the limit."""
        self.due = False
        while self.limit and self.total > max(self.limit, self.in_vain):
            sizes = self.sizes
            victims = nlargest(VICTIMS, (c for c in sizes if not c.no_evict), key=sizes.__getitem__)
            if not victims:
                self.in_vain = self.total + MORE
            for c in victims:
                if self.total > self.limit:
                    self._cut(c)

    def _cut(self, c: Session) -> None:
        """End a client, unless it holds less than it was thought to hold."""
        known = self.sizes[c]
        size = held_by(c)
        if size < known:
            self.sizes[c] = size
            self.total -= known - size
            return
        self.evicted += 1
        self._lately = True
        self.forget(c)
        c.port.end(Reason.EVICTED, f"it holds {size} bytes")


def held_by(c: Session) -> int:
    """Bytes that a client holds; its own name and the like aren't looked at."""
    size = CLIENT_BYTES + c.buffered() + c.port.pending_bytes()
    if c.queue is not None:
        size += queued_by(c)
    if c.blocked is not None:
        size += sum(map(len, c.blocked.args))
    if c.watched:
        size += len(c.watched) * WATCH_BYTES
    if c.tracking is not None:
        size += len(c.tracking.prefixes) * PREFIX_BYTES
    return size + (len(c.channels) + len(c.patterns) + len(c.shard_channels)) * SUBSCRIPTION_BYTES


def queued_by(c: Session) -> int:
    """Bytes of the requests that wait for EXEC: all that has come since MULTI, but what isn't served yet."""
    queue = c.queue or ()
    return max(0, c.bytes_in - c.multi_from - c.buffered()) + len(queue) * QUEUED_BYTES if queue else 0


def _nothing() -> None:
    """No shell is attached."""
