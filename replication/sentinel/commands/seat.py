"""How handlers find the sentinel behind the engine that serves them, and small helpers they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kvserver.errors import CommandError, wrong_arity
from kvserver.wire.resp import bulk, map_header
from replication.sentinel.shell.runner import Runner
from replication.sentinel.world.group import Primary
from replication.sentinel.world.world import World

if TYPE_CHECKING:
    from kvserver.engine.run.session import Session

Field = tuple[str, str | int]


@dataclass
class Seat:
    """What the composition keeps in the node's `Services`."""

    runner: Runner
    shut_down: Callable[[], None]
    is_executable: Callable[[str], bool]
    info: dict[str, Callable[[], str]] = field(default_factory=dict)
    """INFO's sections that the process itself provides (server, clients, stats, cpu), by lower-case name."""

    @property
    def world(self) -> World:
        """What this sentinel knows."""
        return self.runner.monitor.world

    @property
    def now_ms(self) -> int:
        """The moment, in milliseconds of the decisions' clock."""
        return self.runner.clock.boot_ms()


def seat_of(c: Session) -> Seat:
    """The sentinel that serves this client."""
    return c.engine.services.kept(Seat)


def text_of(arg: bytes) -> str:
    """An argument as text; bytes that are no UTF-8 survive the way back (`bulk_text`)."""
    return arg.decode("utf-8", "surrogateescape")


def bulk_text(text: str | int) -> bytes:
    """A text or a number as a bulk reply."""
    return bulk(str(text).encode("utf-8", "surrogateescape"))


def group_named(c: Session, name: bytes) -> Primary:
    """The group of this name. Raises CommandError with Redis's text if there is none."""
    group = seat_of(c).world.groups.get(text_of(name))
    if group is None:
        raise CommandError("ERR No such master with that name")
    return group


def exactly(a: list[bytes], count: int) -> None:
    """Refuse any other number of arguments (the container's own arity is a minimum)."""
    if len(a) != count:
        raise wrong_arity(f"{text_of(a[0]).lower()}|{text_of(a[1]).lower()}")


def encode_fields(fields: Iterable[Field], proto: int) -> bytes:
    """A map of texts (a flat array with RESP2); numbers are texts too, as Redis has it."""
    pairs = list(fields)
    return map_header(len(pairs), proto) + b"".join(bulk_text(k) + bulk_text(v) for k, v in pairs)
