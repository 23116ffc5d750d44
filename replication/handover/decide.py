"""The decisions of FAILOVER: a primary hands over to one of its replicas, on purpose and without loss. Pure.

Theory of operation. Writes are held back, so the offset stands still; the first wanted replica that has
acknowledged it takes over. The old primary then asks it to, by PSYNC with the word FAILOVER, and so becomes
its replica. If nobody catches up in time the attempt is given up, or with FORCE goes on all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import parse_int
from replication.primary.attached import Attached, Phase

Address = tuple[str, int]

NONE = "no-failover"
WAITING = "waiting-for-sync"
IN_PROGRESS = "failover-in-progress"


@dataclass(frozen=True, slots=True)
class Order:
    """FAILOVER's arguments. `timeout_ms` 0: none."""

    target: Address | None = None
    force: bool = False
    abort: bool = False
    timeout_ms: int = 0


@dataclass(frozen=True, slots=True)
class Proceed:
    """Hand over to this replica now, which has everything or not."""

    target: Address
    synced: bool = True


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nobody caught up in time."""

    reason: str


def parse(a: list[bytes]) -> Order:
    """FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds].

    Raises:
        CommandError: malformed or contradictory.
    """
    target: Address | None = None
    force = abort = False
    timeout_ms = 0
    i = 1
    while i < len(a):
        word, left = a[i].lower(), len(a) - i - 1
        if word == b"timeout" and left >= 1 and not timeout_ms:
            timeout_ms = parse_int(a[i + 1])
            if timeout_ms <= 0:
                raise CommandError("ERR FAILOVER timeout must be greater than 0")
            i += 1
        elif word == b"abort" and len(a) == 2:
            abort = True
        elif word == b"to" and left >= 2 and target is None:
            target = (a[i + 1].decode("utf-8", "surrogateescape"), parse_int(a[i + 2]))
            i += 2
        elif word == b"force" and not force:
            force = True
        else:
            raise CommandError(SYNTAX)
        i += 1
    return Order(target, force, abort, timeout_ms)


def check(order: Order, replicas: list[Attached], state: str, is_replica: bool) -> None:
    """Raises CommandError when an order to begin can't be followed."""
    if state != NONE:
        raise CommandError("ERR FAILOVER already in progress.")
    if is_replica:
        raise CommandError("ERR FAILOVER is not valid when server is a replica.")
    if not replicas:
        raise CommandError("ERR FAILOVER requires connected replicas.")
    if order.force and not (order.timeout_ms and order.target):
        raise CommandError("ERR FAILOVER with force option requires both a timeout and target HOST and IP.")
    if order.target is not None:
        named = [r for r in replicas if (r.ip.lower(), r.port) == (order.target[0].lower(), order.target[1])]
        if not named:
            raise CommandError("ERR FAILOVER target HOST and PORT is not a replica.")
        if named[0].phase is not Phase.ONLINE:
            raise CommandError("ERR FAILOVER target replica is not online.")


def step(order: Order, replicas: Iterable[Attached], offset: int, waited_ms: int) -> Proceed | GiveUp | None:
    """What to do now that writes have been held back for `waited_ms`; None: go on waiting."""
    for replica in replicas:
        address = (replica.ip, replica.port)
        wanted = order.target is None or order.target == address
        if wanted and replica.phase is Phase.ONLINE and replica.ack_offset >= offset:
            return Proceed(address)
    if order.timeout_ms and waited_ms >= order.timeout_ms:
        if order.force and order.target is not None:
            return Proceed(order.target, synced=False)
        return GiveUp("replica never caught up before timeout")
    return None
