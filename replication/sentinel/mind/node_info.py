"""Reading the INFO reply of a node, ours or Redis's, including the `slaveN` lines of Redis before 2.8."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from replication.sentinel.world.group import Kind
from replication.sentinel.world.standing import Standing
from replication.sentinel.world.world import MAX_SANE_EPOCH, RUN_ID_LENGTH

_REPLICA_KEY = re.compile(r"slave\d+\Z")
_LEADING_INT = re.compile(r"-?\d{1,20}")
_NODE_ID = re.compile(r"[0-9a-f]{40}\Z")
MAX_MEMBERS = 64
"""More than any quorum has; the rest of a longer list isn't believed."""


@dataclass(slots=True)
class Info:
    """The fields that matter to a sentinel; what the node didn't say keeps its default."""

    run_id: str | None = None
    role: Kind | None = None
    replicas: list[tuple[str, int]] = field(default_factory=list)
    follows_host: str | None = None
    follows_port: int | None = None
    link_up: bool | None = None
    link_down_ms: int = 0
    priority: int | None = None
    offset: int | None = None
    log_end: int = 0
    syncing: bool = False
    announced: bool | None = None
    loading: bool = False
    """What it is in its quorum it knows only when its data are in memory."""
    quorum: Standing | None = None
    """None: the node takes no part in a quorum."""


def leading_int(text: str) -> int:
    """The number a text begins with, else 0: a node's nonsense must not stop its sentinel."""
    found = _LEADING_INT.match(text)
    return int(found[0]) if found else 0


def _replica_address(value: str) -> tuple[str, int] | None:
    if "ip=" in value:
        fields = dict(part.partition("=")[::2] for part in value.split(","))
        host, port = fields.get("ip", ""), fields.get("port", "")
    else:
        host, _, rest = value.partition(",")
        port = rest.partition(",")[0]
    number = leading_int(port)
    return (host, number) if host and 0 < number <= 65535 else None


def _set_run_id(info: Info, value: str) -> None:
    if len(value) >= RUN_ID_LENGTH:
        info.run_id = value[:RUN_ID_LENGTH]


def _set_role(info: Info, value: str) -> None:
    info.role = {"master": Kind.PRIMARY, "slave": Kind.REPLICA}.get(value)


def _set_host(info: Info, value: str) -> None:
    info.follows_host = value


def _set_port(info: Info, value: str) -> None:
    info.follows_port = leading_int(value)


def _set_link_up(info: Info, value: str) -> None:
    info.link_up = value.lower() == "up"


def _set_link_down(info: Info, value: str) -> None:
    info.link_down_ms = leading_int(value) * 1000


def _set_priority(info: Info, value: str) -> None:
    info.priority = leading_int(value)


def _set_offset(info: Info, value: str) -> None:
    info.offset = leading_int(value)


def _set_announced(info: Info, value: str) -> None:
    info.announced = leading_int(value) != 0


def _quorum(info: Info) -> Standing:
    if info.quorum is None:
        info.quorum = Standing()
    return info.quorum


def _set_quorum_id(info: Info, value: str) -> None:
    _quorum(info).node_id = value if _NODE_ID.match(value) else ""


def _set_quorum_state(info: Info, value: str) -> None:
    _quorum(info).state = value[:32]


def _set_epoch(name: str) -> Callable[[Info, str], None]:
    """An epoch that no election could reach isn't believed: it would leave none to stand in."""
    def put(info: Info, value: str) -> None:
        epoch = leading_int(value)
        setattr(_quorum(info), name, epoch if 0 <= epoch <= MAX_SANE_EPOCH else 0)
    return put


def node_ids(text: str) -> frozenset[str] | None:
    """The ids of a list joined by commas; None if it isn't one, or longer than any group is."""
    words = text.split(",")
    return frozenset(words) if len(words) <= MAX_MEMBERS and all(map(_NODE_ID.match, words)) else None


def _set_quorum_members(info: Info, value: str) -> None:
    sets = [node_ids(word) for word in value.split()[:2]]
    _quorum(info).members = tuple(each for each in sets if each is not None)


def _set_loading(info: Info, value: str) -> None:
    info.loading = leading_int(value) != 0


def _set_hands_over(info: Info, value: str) -> None:
    _quorum(info).hands_over = value == "1"


def _set_reach(info: Info, value: str) -> None:
    _quorum(info).reach = max(0, leading_int(value))


def _set_syncing(info: Info, value: str) -> None:
    info.syncing = leading_int(value) != 0


def _set_log_end(info: Info, value: str) -> None:
    info.log_end = max(0, leading_int(value))


_FIELDS: dict[str, Callable[[Info, str], None]] = {
    "run_id": _set_run_id,
    "role": _set_role,
    "master_host": _set_host,
    "master_port": _set_port,
    "master_link_status": _set_link_up,
    "master_link_down_since_seconds": _set_link_down,
    "slave_priority": _set_priority,
    "slave_repl_offset": _set_offset,
    "replica_announced": _set_announced,
    "loading": _set_loading,
    "master_repl_offset": _set_log_end,
    "quorum_node_id": _set_quorum_id,
    "quorum_state": _set_quorum_state,
    "quorum_promised": _set_epoch("promised"),
    "quorum_last_epoch": _set_epoch("last_epoch"),
    "quorum_epoch": _set_epoch("epoch"),
    "quorum_members": _set_quorum_members,
    "quorum_reach": _set_reach,
    "quorum_hands_over": _set_hands_over,
    "master_sync_in_progress": _set_syncing,
}


def parse_info(text: bytes) -> Info:
    """The fields of an INFO reply; unknown lines are skipped, malformed numbers count as 0."""
    info = Info()
    for line in text.decode("utf-8", "replace").split("\r\n"):
        key, colon, value = line.partition(":")
        if not colon:
            continue
        setter = _FIELDS.get(key)
        if setter is not None:
            setter(info, value)
        elif key.startswith("slave") and _REPLICA_KEY.match(key):
            address = _replica_address(value)
            if address is not None:
                info.replicas.append(address)
    if info.quorum is not None:
        info.quorum.offset = info.log_end
    return info
