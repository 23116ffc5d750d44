"""SENTINEL subcommands that look: MASTERS, REPLICAS, SENTINELS, CKQUORUM, INFO-CACHE and the like."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kvserver.errors import CommandError
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import array, array_header, bulk, bulks, integer, map_header, null, null_array, simple
from replication.sentinel.commands.seat import (
    bulk_text,
    encode_fields,
    exactly,
    group_named,
    seat_of,
    text_of,
)
from replication.sentinel.mind.convene import hopeful
from replication.sentinel.mind.election import usable_sentinels
from replication.sentinel.mind.messages import Answer, DownQuery
from replication.sentinel.mind.script_queue import Job
from replication.sentinel.mind.views import instance_fields
from replication.sentinel.world.group import Instance, Primary, Replica

if TYPE_CHECKING:
    from kvserver.engine.run.session import Session


def _show(c: Session, instance: Instance) -> bytes:
    seat = seat_of(c)
    return encode_fields(instance_fields(seat.world, instance, seat.now_ms), c.resp)


def _show_all(c: Session, instances: Iterable[Instance]) -> bytes:
    return array([_show(c, each) for each in instances if not isinstance(each, Replica) or each.announced])


def masters(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL MASTERS."""
    exactly(a, 2)
    return _show_all(c, seat_of(c).world.groups.values())


def master(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL MASTER name."""
    exactly(a, 3)
    return _show(c, group_named(c, a[2]))


def replicas(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL REPLICAS name, and SLAVES."""
    exactly(a, 3)
    return _show_all(c, group_named(c, a[2]).replicas.values())


def sentinels(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL SENTINELS name."""
    exactly(a, 3)
    return _show_all(c, group_named(c, a[2]).peers.values())


def my_id(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL MYID."""
    return bulk_text(seat_of(c).world.my_id)


def get_address(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL GET-MASTER-ADDR-BY-NAME name: ip and port, or nil."""
    exactly(a, 3)
    world = seat_of(c).world
    group = world.groups.get(text_of(a[2]))
    if group is None:
        return null_array(c.resp)
    address = group.current_address()
    return array([bulk_text(world.shown(address)), bulk_text(address.port)])


def is_down(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL IS-MASTER-DOWN-BY-ADDR ip port epoch runid|*: our opinion, and our vote if one is sought."""
    exactly(a, 6)
    port, epoch = parse_int(a[3]), parse_int(a[4])
    answer = seat_of(c).runner.handle(DownQuery(text_of(a[2]), port, epoch, text_of(a[5])))
    if not isinstance(answer, Answer):
        raise CommandError("ERR The vote can't be saved. Check server logs.")
    return array([integer(int(answer.down)), bulk_text(answer.leader), integer(answer.epoch)])


def check_quorum(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL CKQUORUM name: can the quorum, and the majority that authorizes a failover, be reached?

    In a group that goes by quorum a majority of its data nodes is needed as well.
    """
    exactly(a, 3)
    group = group_named(c, a[2])
    usable = usable_sentinels(group)
    problems = []
    if usable < group.quorum:
        problems.append("Not enough available Sentinels to reach the specified quorum for this master")
    if usable < (len(group.peers) + 1) // 2 + 1:
        problems.append("Not enough available Sentinels to reach the majority and authorize a failover")
    if group.by_quorum and not hopeful(group, seat_of(c).now_ms):
        problems.append("No majority of the data nodes can be asked to promise an epoch")
    if problems:
        raise CommandError(f"NOQUORUM {usable} usable Sentinels. " + ". ".join(problems))
    return simple(f"OK {usable} usable Sentinels. Quorum and failover authorization can be reached")


def info_cache(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL INFO-CACHE name [name ...]: the last INFO of each primary and its replicas, with its age."""
    groups: dict[str, Primary] = {}
    for name in a[2:]:
        group = seat_of(c).world.groups.get(text_of(name))
        if group is not None:
            groups[group.name] = group
    out = [array_header(2 * len(groups))]
    for group in groups.values():
        out += [bulk_text(group.name), array_header(1 + len(group.replicas))]
        for node in (group, *group.replicas.values()):
            age = seat_of(c).now_ms - node.info_ms if node.info_ms else 0
            text = null(c.resp) if node.info_text is None else bulk(node.info_text)
            out += [array_header(2), integer(age), text]
    return b"".join(out)


def pending_scripts(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL PENDING-SCRIPTS."""
    exactly(a, 2)
    queue = seat_of(c).runner.scripts.jobs.queue
    return array([_show_job(c, job, seat_of(c).runner.scripts.now_ms()) for job in queue])


def _show_job(c: Session, job: Job, now: int) -> bytes:
    argv = [arg.encode("utf-8", "surrogateescape") for arg in job.argv]
    elapsed = now - job.start_ms if job.running else max(0, job.start_ms - now) if job.start_ms else 0
    return b"".join((
        map_header(5, c.resp), bulk(b"argv"), bulks(argv),
        bulk(b"flags"), bulk(b"running" if job.running else b"scheduled"), bulk(b"pid"), bulk_text(job.pid),
        bulk(b"run-time" if job.running else b"run-delay"), bulk_text(elapsed),
        bulk(b"retry-num"), bulk_text(job.tries)))


HANDLERS = {
    "SENTINEL|CKQUORUM": check_quorum,
    "SENTINEL|GET-MASTER-ADDR-BY-NAME": get_address,
    "SENTINEL|INFO-CACHE": info_cache,
    "SENTINEL|IS-MASTER-DOWN-BY-ADDR": is_down,
    "SENTINEL|MASTER": master,
    "SENTINEL|MASTERS": masters,
    "SENTINEL|MYID": my_id,
    "SENTINEL|PENDING-SCRIPTS": pending_scripts,
    "SENTINEL|REPLICAS": replicas,
    "SENTINEL|SENTINELS": sentinels,
    "SENTINEL|SLAVES": replicas,
}
