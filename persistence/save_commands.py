"""SAVE, BGSAVE, LASTSAVE, DUMP, RESTORE, and DEBUG RELOAD."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from kvserver.engine.commands.keys import databases
from kvserver.engine.keys.hash_expiry import enlist
from kvserver.engine.keys.keyspace import EV_GENERIC
from kvserver.engine.run import blocking
from kvserver.engine.run.session import Session
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import OK, bulk, error, integer, null, simple
from persistence.rdb.errors import RdbError
from persistence.rdb.payload import dump_payload, restore_payload, verified
from persistence.rdb.read.decoder import Decoder
from persistence.rdb.read.values import EngineBuilders
from persistence.snapshot.loader import feed
from persistence.snapshot.restore import Restorer
from persistence.snapshot.snapshotter import Snapshotter

_IN_PROGRESS = "ERR Background save already in progress"
_MAX_TTL = 2**63 - 1


def snapshotter_of(c: Session) -> Snapshotter:
    """The Snapshotter of the session's engine."""
    return c.engine.services.kept(Snapshotter)


def save(c: Session, a: list[bytes]) -> bytes | None:
    """SAVE. The client waits until the file is durable; others are served meanwhile."""
    saver = snapshotter_of(c)
    if saver.in_progress:
        raise CommandError(_IN_PROGRESS)
    c.engine.block(c, "save", [], 0, _never)
    wait = c.blocked

    def done(task: asyncio.Task[str]) -> None:
        if c.blocked is wait:
            failure = "interrupted" if task.cancelled() else task.result()
            blocking.unblock(c.engine, c, error(f"ERR {failure}") if failure else OK)

    saver.begin().add_done_callback(done)
    return None


def _never(c: Session) -> bytes:
    return OK


def bgsave(c: Session, a: list[bytes]) -> bytes:
    """BGSAVE [SCHEDULE]."""
    if len(a) > 2 or (len(a) == 2 and a[1].upper() != b"SCHEDULE"):
        raise CommandError(SYNTAX)
    saver = snapshotter_of(c)
    if saver.in_progress:
        raise CommandError(_IN_PROGRESS)
    if saver.busy_elsewhere():
        if len(a) == 1:
            raise CommandError(
                "ERR Another child process is active (AOF?): can't BGSAVE right now. "
                "Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible."
            )
        saver.scheduled = True
        return simple("Background saving scheduled")
    saver.begin()
    return simple("Background saving started")


def lastsave(c: Session, a: list[bytes]) -> bytes:
    """LASTSAVE."""
    return integer(snapshotter_of(c).last_save_s)


def dump(c: Session, a: list[bytes]) -> bytes:
    """DUMP key."""
    value = c.db.lookup(a[1])
    if value is None:
        return null(c.resp)
    return bulk(dump_payload(value))


def restore(c: Session, a: list[bytes]) -> bytes:
    """RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]."""
    key = a[1]
    options = _restore_options(a)
    replace, absolute = options.replace, options.absolute
    db = c.db
    if not replace and db.lookup_write(key) is not None:
        raise CommandError("BUSYKEY Target key name already exists.")
    ttl = parse_int(a[2])
    if ttl < 0:
        raise CommandError("ERR Invalid TTL value, must be >= 0")
    value = _restored(c, a[3])
    state = db.state
    if ttl and not absolute:
        ttl = min(ttl + state.now_ms, _MAX_TTL)
    replaced = replace and db.remove(key)
    if ttl and ttl <= state.now_ms and state.expire_mode == 0:
        if replaced:
            state.instead(db.index, [b"DEL", key])
            db.changed(key, EV_GENERIC, b"del")
        return OK
    db.put(key, value)
    enlist(db, key, value)
    if db.access is not None and options.idle_s >= 0:
        db.access.set_idle(key, options.idle_s)
    if db.access is not None and options.frequency >= 0:
        db.access.set_frequency(key, options.frequency)
    if ttl:
        db.expire_at(key, ttl)
        if not absolute:
            state.instead(db.index, [a[0], key, b"%d" % ttl, *a[3:], b"ABSTTL"])
    db.changed(key, EV_GENERIC, b"restore")
    return OK


def _restored(c: Session, payload: bytes) -> Any:
    """The value of a payload; what is wrong with one is said in the log."""
    saver = snapshotter_of(c)
    if not verified(payload, not saver.skip_checksums):
        raise CommandError("ERR DUMP payload version or checksum are wrong")
    try:
        _, value, _ = restore_payload(payload, EngineBuilders(c.db.state.limits))
    except RdbError as failure:
        saver.log.warning("RESTORE: integrity check failed", error=str(failure))
        raise CommandError("ERR Bad data format")
    return value


class _RestoreOptions(NamedTuple):
    """RESTORE's options; -1 is what wasn't given."""

    replace: bool
    absolute: bool
    idle_s: int
    frequency: int


def _restore_options(a: list[bytes]) -> _RestoreOptions:
    replace = absolute = False
    idle_s = frequency = -1
    i = 4
    while i < len(a):
        option = a[i].upper()
        more = i + 1 < len(a)
        if option == b"REPLACE":
            replace = True
        elif option == b"ABSTTL":
            absolute = True
        elif option == b"IDLETIME" and more and frequency < 0:
            i += 1
            idle_s = parse_int(a[i])
            if idle_s < 0:
                raise CommandError("ERR Invalid IDLETIME value, must be >= 0")
        elif option == b"FREQ" and more and idle_s < 0:
            i += 1
            frequency = parse_int(a[i])
            if not 0 <= frequency <= 255:
                raise CommandError("ERR Invalid FREQ value, must be >= 0 and <= 255")
        else:
            raise CommandError(SYNTAX)
        i += 1
    return _RestoreOptions(replace, absolute, idle_s, frequency)


def debug_reload(c: Session, a: list[bytes]) -> bytes:
    """DEBUG RELOAD [NOSAVE] [NOFLUSH] [MERGE]: save and load again, in one go; a tool for tests."""
    options = {raw.upper() for raw in a[2:]}
    if not options <= {b"NOSAVE", b"NOFLUSH", b"MERGE"}:
        raise CommandError("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
    engine = c.engine
    saver = snapshotter_of(c)
    if b"NOSAVE" not in options:
        if saver.in_progress:
            raise CommandError(_IN_PROGRESS)
        saver.save_at_once()
    data = saver.path.read_bytes()
    if b"NOFLUSH" not in options:
        for db in engine.dbs:
            databases.empty(engine, db)
    decoder = Decoder(EngineBuilders(engine.state.limits), not saver.skip_checksums)
    restorer = Restorer(engine.dbs, engine.state.now_ms, replace=b"MERGE" in options)
    try:
        feed(decoder, restorer, data)
        decoder.finish()
        _reload_functions(c, restorer.functions, options)
    except (RdbError, CommandError) as failure:
        raise CommandError(f"ERR Error trying to load the RDB dump: {failure}")
    return OK


def _reload_functions(c: Session, codes: list[bytes], options: set[bytes]) -> None:
    """Load the libraries that a file held, as the options of DEBUG RELOAD say."""
    policy = b"REPLACE" if b"MERGE" in options else b"APPEND" if b"NOFLUSH" in options else b"FLUSH"
    c.engine.services.scripting.restore(codes, policy)


def debug_skip_checksums(c: Session, a: list[bytes]) -> bytes:
    """DEBUG SET-SKIP-CHECKSUM-VALIDATION 0|1: whether payloads and reloaded files may have wrong checksums."""
    if len(a) != 3:
        raise CommandError(SYNTAX)
    snapshotter_of(c).skip_checksums = a[2] != b"0"
    return OK


HANDLERS = {
    "BGSAVE": bgsave,
    "DUMP": dump,
    "LASTSAVE": lastsave,
    "RESTORE": restore,
    "RESTORE-ASKING": restore,
    "SAVE": save,
}
DEBUG = {b"RELOAD": debug_reload, b"SET-SKIP-CHECKSUM-VALIDATION": debug_skip_checksums}
"""Subcommands of DEBUG."""
