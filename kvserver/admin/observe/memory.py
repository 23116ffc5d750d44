"""MEMORY: what keys and the process take."""

from __future__ import annotations

from kvserver.admin.context import Admin, admin_of
from kvserver.engine.commands.keys.object import DEFAULT_SAMPLES, memory_of
from kvserver.engine.run.session import Session
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import OK, array, bulk, double, integer, map_header, null, simple, verbatim

NEARLY_EMPTY = 64 * 1024 * 1024
BIG_CLIENT = 200 * 1024

HELP = (
    "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DOCTOR",
    "    Tell what looks wrong about the memory of this server.",
    "MALLOC-STATS",
    "    Reply the allocator's statistics, where it has any.",
    "PURGE",
    "    Give free memory back to the system.",
    "STATS",
    "    Reply what the memory is used for.",
    "USAGE <key> [SAMPLES <count>]",
    "    Estimate the bytes a key and its value take, from <count> of its elements (default: 5, 0 is all).",
    "HELP",
    "    Print this help.",
)


def usage(c: Session, a: list[bytes]) -> bytes:
    """MEMORY USAGE key [SAMPLES count]."""
    samples = DEFAULT_SAMPLES
    if len(a) % 2 == 0:
        raise CommandError(SYNTAX)
    for name, raw in zip(a[3::2], a[4::2], strict=True):
        if name.upper() != b"SAMPLES":
            raise CommandError(SYNTAX)
        samples = parse_int(raw)
        if samples < 0:
            raise CommandError(SYNTAX)
    value = c.db.keys.get(a[2])
    if value is None:
        return null(c.resp)
    own = 0 if isinstance(value, bytes | bytearray) else memory_of(value, samples)
    return integer(c.db.keys.cost(a[2]) + own)


def stats(c: Session, a: list[bytes]) -> bytes:
    """MEMORY STATS: the fields that exist here, under Redis's names."""
    fields = _stats(admin_of(c), c.resp)
    return map_header(len(fields), c.resp) + b"".join(bulk(name) + value for name, value in fields.items())


def _stats(admin: Admin, proto: int) -> dict[bytes, bytes]:
    process, dbs = admin.process, admin.node.engine.dbs
    used = process.used_bytes()
    clients = sum(c.port.pending_bytes() + c.buffered() for c in list(admin.node.engine.sessions.values()))
    keys = sum(len(db.keys) for db in dbs)
    net = max(1, used)
    dataset = max(0, net - clients)
    fields = {
        b"peak.allocated": integer(process.peak_bytes),
        b"total.allocated": integer(used),
        b"startup.allocated": integer(0),
        b"replication.backlog": integer(_other(admin, "mem_replication_backlog")),
        b"clients.slaves": integer(_other(admin, "mem_clients_slaves")),
        b"clients.normal": integer(clients),
        b"cluster.links": integer(0),
        b"aof.buffer": integer(_other(admin, "mem_aof_buffer")),
    }
    for db in dbs:
        if len(db.keys):
            main, expires = db.keys.overhead()
            fields[b"db.%d" % db.index] = (
                map_header(2, proto)
                + bulk(b"overhead.hashtable.main")
                + integer(main)
                + bulk(b"overhead.hashtable.expires")
                + integer(expires)
            )
    return fields | {
        b"overhead.total": integer(clients + sum(sum(db.keys.overhead()) for db in dbs)),
        b"keys.count": integer(keys),
        b"keys.bytes-per-key": integer(net // keys if keys else 0),
        b"dataset.bytes": integer(dataset),
        b"dataset.percentage": double(min(100.0, dataset * 100 / net), proto),
        b"peak.percentage": double(used * 100 / max(1, process.peak_bytes), proto),
        b"fragmentation": double(1.0, proto),
        b"fragmentation.bytes": integer(0),
    }


def _other(admin: Admin, field: str) -> int:
    """A number that another package tells in INFO memory."""
    found = 0
    for provider in admin.node.services.contributions.info.get("memory", ()):
        found = int(str(dict(provider()).get(field, found)))
    return found


def doctor(c: Session, a: list[bytes]) -> bytes:
    """MEMORY DOCTOR."""
    admin = admin_of(c)
    used = admin.process.used_bytes()
    pending = [session.port.pending_bytes() for session in list(c.engine.sessions.values())]
    text = diagnose(used, admin.process.peak_bytes, 0, pending)
    return verbatim(text.encode(), c.resp)


def diagnose(used: int, peak: int, startup: int, pending: list[int]) -> str:
    """What looks wrong, in sentences."""
    if used - startup < NEARLY_EMPTY:
        return "This server holds little data; there is nothing to say about its memory yet.\n"
    findings = []
    if peak > used * 1.5:
        findings.append(
            f"The memory peaked at {peak} bytes, now it is {used}: what was freed may still count as resident. "
            "MEMORY PURGE gives back what can be given back."
        )
    if sum(pending) > BIG_CLIENT * max(1, len(pending)):
        findings.append(
            "Clients read their replies slowly: unread replies take much memory. CLIENT LIST shows omem of each."
        )
    if not findings:
        return "The memory of this server looks healthy.\n"
    return "".join(f"* {finding}\n" for finding in findings)


def malloc_stats(c: Session, a: list[bytes]) -> bytes:
    """MEMORY MALLOC-STATS."""
    return verbatim(b"Stats not supported for the current allocator", c.resp)


def purge(c: Session, a: list[bytes]) -> bytes:
    """MEMORY PURGE."""
    c.engine.services.doors.process.give_back_memory()
    return OK


def help_(c: Session, a: list[bytes]) -> bytes:
    """MEMORY HELP."""
    return array([simple(line) for line in HELP])


HANDLERS = {
    "MEMORY|DOCTOR": doctor,
    "MEMORY|HELP": help_,
    "MEMORY|MALLOC-STATS": malloc_stats,
    "MEMORY|PURGE": purge,
    "MEMORY|STATS": stats,
    "MEMORY|USAGE": usage,
}
