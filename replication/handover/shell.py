"""The shell of FAILOVER: holds writes back, asks for acknowledgements, changes roles as `handover` decides."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from replication.handover import decide as handover
from replication.handover.decide import GiveUp, Order, Proceed

if TYPE_CHECKING:
    from replication.hub import Hub


class Failover:
    """A planned change of roles. `state` is INFO's word for it.

    `hold_writes` makes clients wait who want to write, `let_writes` lets them go on.
    """

    def __init__(self, hub: Hub) -> None:
        self.state = handover.NONE
        self.hold_writes: Callable[[], None] = _nothing
        self.let_writes: Callable[[], None] = _nothing
        self._hub = hub
        self._order = Order()
        self._began_s = 0.0

    @property
    def active(self) -> bool:
        """Whether one is under way."""
        return self.state != handover.NONE

    @property
    def asking(self) -> bool:
        """Whether our PSYNC has to say FAILOVER."""
        return self.state == handover.IN_PROGRESS

    def begin(self, order: Order) -> None:
        """Hold writes back and wait for a replica to catch up."""
        self._order = order
        self._began_s = monotonic()
        self.state = handover.WAITING
        self._hub.log.info("failover begins", target=order.target, timeout_ms=order.timeout_ms)
        self.hold_writes()
        self._hub.ask_for_acks()
        self._hub.engine.log.flush()

    def tick(self) -> None:
        """Ten times a second."""
        if self.state != handover.WAITING:
            return
        hub = self._hub
        waited_ms = int((monotonic() - self._began_s) * 1000)
        offset = hub.engine.log.offset
        action = handover.step(self._order, hub.feeder.records(), offset, waited_ms)
        if isinstance(action, Proceed):
            self.state = handover.IN_PROGRESS
            why = "is synced" if action.synced else "time out exceeded"  # Redis's words, which tools look for
            hub.log.info(f"failover {why}, failing over.", replica=action.target, offset=offset)
            hub.follow(*action.target)
        elif isinstance(action, GiveUp):
            self.abort(action.reason)

    def succeeded(self) -> None:
        """The new primary took us as its replica."""
        if self.asking:
            self._hub.log.info("failover done")
            self._end()

    def abort(self, reason: str) -> None:
        """Give up; a role already given away is taken back."""
        if not self.active:
            return
        self._hub.log.warning("failover given up", reason=reason)
        if self.asking:
            self._hub.promote()
        self._end()

    def _end(self) -> None:
        self.state = handover.NONE
        self.let_writes()


def _nothing() -> None:
    """Nothing holds clients back."""
