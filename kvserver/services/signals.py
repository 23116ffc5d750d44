"""Notifications: who has something to tell emits a signal, who wants to hear of it connects to it.

Listeners are called at once, in the order in which they connected; what one raises goes to whoever emitted. None
of these is emitted for each command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, ParamSpec

if TYPE_CHECKING:
    from kvserver.engine.keys.keyspace import Db
    from kvserver.engine.run.session import Session
    from kvserver.services.offers import Origin

P = ParamSpec("P")


class Signal(Generic[P]):
    """One kind of event; `P` are the types of what a listener is told."""

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: list[Callable[P, object]] = []

    def __len__(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def connect(self, listener: Callable[P, object]) -> None:
        """Have `listener` called from now on, behind those that are connected."""
        self._listeners.append(listener)

    def disconnect(self, listener: Callable[P, object]) -> None:
        """Call it no more. Raises ValueError when it isn't connected."""
        self._listeners.remove(listener)

    def emit(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call all listeners; one that disconnects meanwhile was called, or will be, once."""
        for listener in tuple(self._listeners):
            listener(*args, **kwargs)


class Signals:
    """All signals of a node."""

    def __init__(self) -> None:
        self.session_reset: Signal[[Session]] = Signal()
        """A client asked for RESET: forget what it switched on."""
        self.db_emptied: Signal[[Db]] = Signal()
        """All keys of a database are gone at once; its tables wait in the trash."""
        self.role_changed: Signal[[]] = Signal()
        """The node begins to follow, or to lead; the state of the engine says which."""
        self.data_replaced: Signal[[]] = Signal()
        """Another data set is in force, received from a primary."""
        self.data_loaded: Signal[[Origin]] = Signal()
        """What was on the disk is in memory; nothing is written to the append-only file yet, nobody is served."""
        self.log_synced: Signal[[]] = Signal()
        """The append-only file may be on the disk up to a higher offset, or has been switched on or off."""
        self.stats_reset: Signal[[]] = Signal()
        """CONFIG RESETSTAT: begin to count anew."""
