"""REPLICAOF, SLAVEOF, PSYNC, SYNC, REPLCONF, ROLE, FAILOVER, WAIT, WAITAOF."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kvserver.engine.run.session import Session
from kvserver.errors import NOT_INT, SYNTAX, CommandError
from kvserver.wire.numbers import parse_int
from kvserver.wire.quoting import split_args
from kvserver.wire.resp import OK, array, bulk, bulks, integer, simple
from replication.handover import decide as handover
from replication.history import same_id
from replication.primary.attached import Attached, Parts, Phase
from replication.primary.feed import Feed
from replication.primary.waiting import NO_FILE
from replication.psync import FullResync, Request, decide
from replication.role_states import State
from replication.shell import Replication, replication_of

MAX_ADDRESS = 256
TIME_MAX = 2**63 - 1
_OFFSET = re.compile(rb"[0-9]{1,19}")


@dataclass(slots=True)
class Announced:
    """What a connection has told by REPLCONF before it asked for the stream."""

    port: int = 0
    ip: str = ""
    capa_eof: bool = False
    capa_psync2: bool = False
    rdb_only: bool = False
    parts: Parts = Parts.ALL


def _announced(c: Session) -> Announced:
    if not isinstance(c.replica, Announced):
        c.replica = Announced()
    told: Announced = c.replica
    return told


# -- who follows whom -----------------------------------------------------------------------------------------


def replicaof(c: Session, a: list[bytes]) -> bytes:
    """REPLICAOF host port | NO ONE."""
    node = replication_of(c)
    if node.role.failover != handover.NONE:
        raise CommandError("ERR REPLICAOF not allowed while failing over.")
    if a[1].lower() == b"no" and a[2].lower() == b"one":
        node.promote()
        return OK
    if c.kind == "replica":
        raise CommandError("ERR Command is not valid when client is a replica.")
    port = _port(a[2])
    host = a[1].decode("utf-8", "surrogateescape")
    if node.link is not None and node.link.host.lower() == host.lower() and node.link.port == port:
        return simple("OK Already connected to specified master")
    node.follow(host, port)
    return OK


def _port(text: bytes) -> int:
    try:
        port = parse_int(text)
    except CommandError:
        port = -1
    if not 0 <= port <= 65535:
        raise CommandError("ERR Invalid master port")
    return port


def role(c: Session, a: list[bytes]) -> bytes:
    """ROLE."""
    node = replication_of(c)
    offset = node.engine.log.offset
    link = node.link
    if link is not None:
        applied = offset if link.connected else -1
        return array(
            [
                bulk(b"slave"),
                bulk(link.host.encode("utf-8", "surrogateescape")),
                integer(link.port),
                bulk(link.state.encode()),
                integer(applied),
            ]
        )
    if node.role.state is State.RESTING:
        return array([bulk(b"slave"), bulk(b"?"), integer(0), bulk(b"connect"), integer(-1)])
    replicas = [
        bulks([r.ip.encode(), b"%d" % r.port, b"%d" % r.ack_offset])
        for r in node.feeder.records()
        if r.phase is Phase.ONLINE
    ]
    return array([bulk(b"master"), integer(offset), array(replicas)])


# -- a replica asks -------------------------------------------------------------------------------------------


def psync(c: Session, a: list[bytes]) -> bytes | None:
    """PSYNC replicationid offset [FAILOVER]."""
    if c.kind == "replica":
        return None
    node = replication_of(c)
    if len(a) > 3 and a[3].lower() == b"failover":
        _take_over(node, a[1])
    offset = parse_int(a[2])
    _ready_to_serve(c, node)
    node.stream_wanted()
    go_on = node.voting.followers.admit(c, offset)
    decision = decide(Request(a[1], offset), node.history, node.feeder.backlog, go_on)
    record = _record(c)
    if isinstance(decision, FullResync):
        node.log.info("full resynchronization", replica=f"{record.ip}:{record.port}", reason=decision.reason)
        if a[1] != b"?":
            node.feeder.refused_partials += 1
        node.feeder.attach_full(c, record, sync=False)
    else:
        node.feeder.attach_partial(c, record, decision, node.voting.followers.welcome(c))
        node.refresh_denials()
    return None


def sync(c: Session, a: list[bytes]) -> bytes | None:
    """SYNC: a snapshot without a status line before it."""
    if c.kind == "replica":
        return None
    node = replication_of(c)
    _ready_to_serve(c, node)
    node.stream_wanted()
    node.feeder.attach_full(c, _record(c), sync=True)
    return None


def _take_over(node: Replication, replid: bytes) -> None:
    """Our primary hands over to us (FAILOVER on its side)."""
    if not node.role.follows:
        raise CommandError("ERR PSYNC FAILOVER can't be sent to a master.")
    if not same_id(replid, node.history.replid):
        raise CommandError("ERR PSYNC FAILOVER replid must match my replid.")
    node.promote()


def _ready_to_serve(c: Session, node: Replication) -> None:
    role = node.role
    if role.state is State.STARTING:
        raise CommandError("LOADING Redis is loading the dataset in memory")
    if role.state is State.ASKING:
        raise CommandError("NOMASTERLINK Can't SYNC while failing over")
    if not role.leads and not role.link_up:
        raise CommandError("NOMASTERLINK Can't SYNC while not connected with my master")
    if c.out:
        raise CommandError("ERR SYNC and PSYNC are invalid with pending output")
    told = _announced(c)
    if told.parts is not Parts.ALL and not told.capa_eof:
        raise CommandError("ERR Filtered replica requires EOF capability")


def _record(c: Session) -> Attached:
    told = _announced(c)
    return Attached(
        replica_id=c.id,
        ip=told.ip or c.address.rpartition(":")[0].strip("[]"),
        port=told.port,
        phase=Phase.WAIT_SNAPSHOT,
        acked_at_s=c.engine.services.clock.monotonic(),
        capa_eof=told.capa_eof,
        capa_psync2=told.capa_psync2,
        rdb_only=told.rdb_only,
        parts=told.parts,
    )


def replconf(c: Session, a: list[bytes]) -> bytes | None:
    """REPLCONF option value ...: announcements before, acknowledgements during replication."""
    if len(a) % 2 == 0:
        raise CommandError(SYNTAX)
    for i in range(1, len(a), 2):
        option = a[i].lower()
        if option == b"ack":
            _ack(c, a[i + 1], a[i + 3] if len(a) > i + 3 and a[i + 2].lower() == b"fack" else b"0")
            if len(a) > i + 5 and a[i + 4].lower() == b"quorum":
                _ack_of_member(c, a[i + 1], a[i + 3], a[i + 5])
            return None
        if option == b"quorum-ask":
            replication_of(c).voting.followers.asked(c, a[i + 1])
            return None
        if option == b"quorum-want":
            if _OFFSET.fullmatch(a[i + 1]):
                replication_of(c).voting.followers.wanted(c, int(a[i + 1]))
            return None
        if option == b"quorum" and replication_of(c).voting.active:
            replication_of(c).voting.followers.announced(c, a[i + 1])
            continue
        if option == b"getack":
            node = replication_of(c)
            if node.link is not None and c.kind == "primary":
                node.link.want_ack()
            return None
        announce = _ANNOUNCEMENTS.get(option)
        if announce is None:
            raise CommandError(b"ERR Unrecognized REPLCONF option: " + a[i])
        if c.kind != "replica":
            announce(_announced(c), a[i + 1])
    return OK


def _ack(c: Session, text: bytes, file_text: bytes) -> None:
    if isinstance(c.replica, Feed) and _OFFSET.fullmatch(text) and _OFFSET.fullmatch(file_text):
        node = replication_of(c)
        node.feeder.acknowledge(c.replica, int(text), int(file_text))
        node.acknowledged()


def _ack_of_member(c: Session, memory: bytes, synced: bytes, round_: bytes) -> None:
    numbers = (memory, synced, round_)
    if isinstance(c.replica, Feed) and all(_OFFSET.fullmatch(number) for number in numbers):
        replication_of(c).voting.followers.acknowledged(c, int(memory), int(synced), int(round_))


def _listening_port(told: Announced, value: bytes) -> None:
    told.port = parse_int(value)


def _ip_address(told: Announced, value: bytes) -> None:
    if len(value) > MAX_ADDRESS:
        raise CommandError(f"ERR REPLCONF ip-address provided by replica instance is too long: {len(value)} bytes")
    told.ip = value.decode("utf-8", "replace")


def _capa(told: Announced, value: bytes) -> None:
    """Abilities we don't know are passed over."""
    ability = value.lower()
    told.capa_eof = told.capa_eof or ability == b"eof"
    told.capa_psync2 = told.capa_psync2 or ability == b"psync2"


def _rdb_only(told: Announced, value: bytes) -> None:
    number = parse_int(value)
    if number not in (0, 1):
        raise CommandError(NOT_INT)
    told.rdb_only = bool(number)


def _rdb_filter_only(told: Announced, value: bytes) -> None:
    """Which parts of the data set are wanted, separated by spaces; none of them is a choice as well."""
    names = split_args(value)
    if names is None:
        raise CommandError("ERR Missing rdb-filter-only values")
    told.parts = Parts.NONE
    for name in names:
        if name.lower() != b"functions":
            raise CommandError(b"ERR Unsupported rdb-filter-only option: " + name)
        told.parts = Parts.FUNCTIONS


_ANNOUNCEMENTS = {
    b"listening-port": _listening_port,
    b"rdb-filter-only": _rdb_filter_only,
    b"ip-address": _ip_address,
    b"capa": _capa,
    b"rdb-only": _rdb_only,
}


def failover(c: Session, a: list[bytes]) -> bytes:
    """FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]."""
    node = replication_of(c)
    order = handover.parse(a)
    if order.abort:
        if node.role.failover == handover.NONE:
            raise CommandError("ERR No failover in progress.")
        node.abort_hand_over("by FAILOVER ABORT")
        return OK
    handover.check(order, node.feeder.records(), node.role.failover, node.role.follows)
    node.hand_over(order)
    return OK


# -- waiting for replicas -------------------------------------------------------------------------------------


def wait(c: Session, a: list[bytes]) -> bytes | None:
    """WAIT numreplicas timeout: until so many replicas have what this client wrote."""
    node = replication_of(c)
    if node.role.follows:
        raise CommandError(
            "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is "
            "configured to be writable (which is not the default) writes to replicas are just local and are not "
            "propagated."
        )
    needed = parse_int(a[1])
    timeout_ms = _timeout(node, a[2])
    count = node.waiting.copies(c.write_offset)
    if count >= needed or c.no_block:
        return integer(count)
    node.waiting.for_copies(c, needed, timeout_ms)
    node.ask_for_acks()
    return None


def waitaof(c: Session, a: list[bytes]) -> bytes | None:
    """WAITAOF numlocal numreplicas timeout: until what this client wrote is in files on so many disks."""
    node = replication_of(c)
    needed_here = parse_int(a[1])
    if not 0 <= needed_here <= 1:
        raise CommandError("ERR value is out of range, must be between 0 and 1")
    needed = parse_int(a[2])
    if needed < 0:
        raise CommandError("ERR value is out of range, must be positive")
    timeout_ms = _timeout(node, a[3])
    if node.role.follows:
        raise CommandError(
            "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just "
            "local and are not propagated."
        )
    if needed_here and node.waiting.synced_offset() is None:
        raise CommandError(NO_FILE)
    here, there = node.waiting.on_disk(c.write_offset)
    if (here >= needed_here and there >= needed) or c.no_block:
        return array([integer(here), integer(there)])
    node.waiting.for_disks(c, needed_here, needed, timeout_ms)
    if there < needed:
        node.ask_for_acks()
    return None


def _timeout(node: Replication, text: bytes) -> int:
    try:
        timeout_ms = parse_int(text)
    except CommandError:
        raise CommandError("ERR timeout is not an integer or out of range")
    if timeout_ms < 0:
        raise CommandError("ERR timeout is negative")
    if timeout_ms > TIME_MAX - node.engine.state.now_ms:
        raise CommandError("ERR timeout is out of range")
    return timeout_ms


HANDLERS = {
    "FAILOVER": failover,
    "PSYNC": psync,
    "REPLCONF": replconf,
    "REPLICAOF": replicaof,
    "ROLE": role,
    "SLAVEOF": replicaof,
    "SYNC": sync,
    "WAIT": wait,
    "WAITAOF": waitaof,
}
