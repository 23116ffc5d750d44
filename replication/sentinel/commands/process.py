"""INFO, ROLE, PUBLISH and SHUTDOWN as a sentinel serves them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.resp import array, bulk, integer, verbatim
from replication.sentinel.commands.seat import bulk_text, seat_of
from replication.sentinel.mind.messages import Hello
from replication.sentinel.mind.views import info_section
from replication.sentinel.world.world import HELLO_CHANNEL

if TYPE_CHECKING:
    from kvserver.engine.run.session import Session

_EVERYTHING = frozenset((b"all", b"default", b"everything"))
_SHUTDOWN_WORDS = frozenset((b"nosave", b"save", b"now", b"force"))


def info(c: Session, a: list[bytes]) -> bytes:
    """INFO [section ...]: server, clients, stats, cpu and sentinel."""
    seat = seat_of(c)
    wanted = {arg.lower() for arg in a[1:]}
    everything = not wanted or bool(wanted & _EVERYTHING)
    jobs = seat.runner.scripts.jobs
    texts = [text() for name, text in seat.info.items() if everything or name.encode() in wanted]
    if everything or b"sentinel" in wanted:
        texts.append(info_section(seat.world, seat.now_ms, jobs.running, len(jobs.queue)))
    return verbatim("\r\n".join(texts).encode("utf-8", "surrogateescape"), c.resp)


def role(c: Session, a: list[bytes]) -> bytes:
    """ROLE: the word "sentinel", and the names of the primaries watched."""
    return array([bulk(b"sentinel"), array([bulk_text(name) for name in seat_of(c).world.groups])])


def publish(c: Session, a: list[bytes]) -> bytes:
    """PUBLISH __sentinel__:hello message: a peer's hello, sent to us directly. No other channel is served."""
    if a[1] != HELLO_CHANNEL:
        raise CommandError("ERR Only HELLO messages are accepted by Sentinel instances.")
    seat_of(c).runner.handle(Hello(a[2]))
    return integer(1)


def shutdown(c: Session, a: list[bytes]) -> bytes | None:
    """SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE]: the state file is up to date at all times, so it just ends."""
    words = [arg.lower() for arg in a[1:]]
    if words == [b"abort"]:
        raise CommandError("ERR No shutdown in progress.")
    if not _SHUTDOWN_WORDS.issuperset(words) or {b"save", b"nosave"} <= set(words):
        raise CommandError(SYNTAX)
    seat_of(c).shut_down()
    return None


HANDLERS = {"INFO": info, "PUBLISH": publish, "ROLE": role, "SHUTDOWN": shutdown}
