"""The `sentinel ...` statements of a configuration file: reading them into a world, and writing it down.

The file holds what the operator configured and what the sentinel must not forget: its id, the newest epoch,
each group's configuration epoch and last vote, known replicas and peers. Statements are those of Redis 7.0,
in either order; texts of errors are Redis's. One statement is ours, `refused-down-after-milliseconds`, and is
written only if it differs from its default, so that a real Sentinel can take the file over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from replication.sentinel.world.address import BadAddress
from replication.sentinel.world.group import Primary
from replication.sentinel.world.world import RUN_ID_LENGTH, DuplicateInstance, Resolve, World

DEFAULT_REFUSED_AFTER_MS = 100
MAX_EPOCH = 2**63 - 1
NO_GROUP = "No such master with specified name."
IsExecutable = Callable[[str], bool]


class DirectiveError(ValueError):
    """A statement that can't be honoured; the text says why."""


def to_int(text: str) -> int:
    """A decimal integer as Redis writes it: no plus sign, no blanks, no underscores."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19:
        raise DirectiveError(f"argument must be a number, not '{text}'.")
    return int(text)


def to_bool(text: str, option: str) -> bool:
    if text.lower() not in ("yes", "no"):
        raise DirectiveError(f"Please specify yes or no for the {option} option.")
    return text.lower() == "yes"


def _positive(text: str) -> int:
    value = to_int(text)
    if value <= 0:
        raise DirectiveError("negative or zero time parameter.")
    return value


def _epoch(text: str) -> int:
    value = to_int(text)
    if not 0 <= value <= MAX_EPOCH:
        raise DirectiveError(f"epoch out of range: '{text}'.")
    return value


# Statements about this sentinel


def _my_id(world: World, value: str) -> None:
    if len(value) != RUN_ID_LENGTH:
        raise DirectiveError("Malformed Sentinel id in myid option.")
    world.my_id = value


def _current_epoch(world: World, value: str) -> None:
    world.epoch = max(world.epoch, _epoch(value))


def _announce_ip(world: World, value: str) -> None:
    world.announce_ip = value or None


def _announce_port(world: World, value: str) -> None:
    port = to_int(value)
    if not 0 <= port <= 65535:
        raise DirectiveError("Invalid port number.")
    world.announce_port = port


def _deny_scripts(world: World, value: str) -> None:
    world.deny_scripts_reconfig = to_bool(value, "deny-scripts-reconfig")


def _resolve_hostnames(world: World, value: str) -> None:
    world.resolve_hostnames = to_bool(value, "resolve-hostnames")


def _announce_hostnames(world: World, value: str) -> None:
    world.announce_hostnames = to_bool(value, "announce-hostnames")


def _peer_user(world: World, value: str) -> None:
    world.peer_user = value or None


def _peer_pass(world: World, value: str) -> None:
    world.peer_pass = value or None


_GLOBAL: dict[str, Callable[[World, str], None]] = {
    "myid": _my_id,
    "current-epoch": _current_epoch,
    "announce-ip": _announce_ip,
    "announce-port": _announce_port,
    "deny-scripts-reconfig": _deny_scripts,
    "resolve-hostnames": _resolve_hostnames,
    "announce-hostnames": _announce_hostnames,
    "sentinel-user": _peer_user,
    "sentinel-pass": _peer_pass,
}


# Statements about a group: the arguments after its name


def _down_after(world: World, group: Primary, args: list[str], now: int) -> None:
    group.down_after_ms = _positive(args[0])


def _failover_timeout(world: World, group: Primary, args: list[str], now: int) -> None:
    group.failover_timeout_ms = _positive(args[0])


def _parallel_syncs(world: World, group: Primary, args: list[str], now: int) -> None:
    group.parallel_syncs = _positive(args[0])


def _refused_after(world: World, group: Primary, args: list[str], now: int) -> None:
    group.refused_after_ms = to_int(args[0])
    if group.refused_after_ms < 0:
        raise DirectiveError("negative time parameter.")


def _reboot_after(world: World, group: Primary, args: list[str], now: int) -> None:
    group.reboot_down_after_ms = to_int(args[0])
    if group.reboot_down_after_ms < 0:
        raise DirectiveError("negative time parameter.")


def _notification_script(world: World, group: Primary, args: list[str], now: int) -> None:
    group.notification_script = args[0]


def _reconfig_script(world: World, group: Primary, args: list[str], now: int) -> None:
    group.client_reconfig_script = args[0]


def _auth_pass(world: World, group: Primary, args: list[str], now: int) -> None:
    group.auth_pass = args[0] or None


def _auth_user(world: World, group: Primary, args: list[str], now: int) -> None:
    group.auth_user = args[0] or None


def _config_epoch(world: World, group: Primary, args: list[str], now: int) -> None:
    group.config_epoch = _epoch(args[0])
    world.epoch = max(world.epoch, group.config_epoch)


def _leader_epoch(world: World, group: Primary, args: list[str], now: int) -> None:
    group.leader_epoch = _epoch(args[0])
    world.epoch = max(world.epoch, group.leader_epoch)


def _known_replica(world: World, group: Primary, args: list[str], now: int) -> None:
    world.add_replica(group, world.address_or_literal(args[0], _port(args[1])), now)


def _known_sentinel(world: World, group: Primary, args: list[str], now: int) -> None:
    if len(args) == 3:
        world.add_peer(group, args[2], world.address_or_literal(args[0], _port(args[1])), now)


def _port(text: str) -> int:
    port = to_int(text)
    if not 0 <= port <= 65535:
        raise DirectiveError("Invalid port number.")
    return port


def _rename(world: World, group: Primary, args: list[str], now: int) -> None:
    if args[0].lower() in group.renamed:
        raise DirectiveError("Same command renamed multiple times with rename-command.")
    group.renamed[args[0].lower()] = args[1]


_GROUP: dict[str, tuple[tuple[int, ...], Callable[[World, Primary, list[str], int], None]]] = {
    "down-after-milliseconds": ((1,), _down_after),
    "failover-timeout": ((1,), _failover_timeout),
    "parallel-syncs": ((1,), _parallel_syncs),
    "refused-down-after-milliseconds": ((1,), _refused_after),
    "master-reboot-down-after-period": ((1,), _reboot_after),
    "notification-script": ((1,), _notification_script),
    "client-reconfig-script": ((1,), _reconfig_script),
    "auth-pass": ((1,), _auth_pass),
    "auth-user": ((1,), _auth_user),
    "config-epoch": ((1,), _config_epoch),
    "leader-epoch": ((1,), _leader_epoch),
    "known-replica": ((2,), _known_replica),
    "known-slave": ((2,), _known_replica),
    "known-sentinel": ((2, 3), _known_sentinel),
    "rename-command": ((2,), _rename),
}

_SCRIPT_ERRORS = {
    "notification-script": "Notification script seems non existing or non executable.",
    "client-reconfig-script": "Client reconfiguration script seems non existing or non executable.",
}


def _monitor(world: World, args: list[str], now: int) -> None:
    name, host, port, quorum_text = args
    quorum = to_int(quorum_text)
    if quorum <= 0:
        raise DirectiveError("Quorum must be 1 or greater.")
    world.add_group(name, world.address(host, _port(port)), quorum, now)


def order(words: list[str]) -> int:
    """The rank in which a statement must be applied: about us, then groups, then about groups."""
    name = words[0].lower()
    return 0 if name in _GLOBAL else 1 if name == "monitor" else 2


def apply_directive(world: World, words: list[str], now: int, is_executable: IsExecutable) -> None:
    """Apply one statement, without its leading `sentinel`. Raises DirectiveError with Redis's text."""
    name, args = words[0].lower(), words[1:]
    try:
        if name in _GLOBAL and len(args) == 1:
            _GLOBAL[name](world, args[0])
        elif name == "monitor" and len(args) == 4:
            _monitor(world, args, now)
        elif name in _GROUP and len(args) - 1 in _GROUP[name][0]:
            group = world.groups.get(args[0])
            if group is None:
                raise DirectiveError(NO_GROUP)
            if name in _SCRIPT_ERRORS and not is_executable(args[1]):
                raise DirectiveError(_SCRIPT_ERRORS[name])
            _GROUP[name][1](world, group, args[1:], now)
        else:
            raise DirectiveError("Unrecognized sentinel configuration statement.")
    except (BadAddress, DuplicateInstance) as error:
        raise DirectiveError(str(error)) from None


def load(statements: list[list[str]], my_id: str, resolve: Resolve, now: int,
         is_executable: IsExecutable = lambda path: True) -> World:
    """A world from statements in any order (a plain way in for simulations and tests)."""
    world = World(my_id, resolve)
    for words in sorted(statements, key=order):
        apply_directive(world, words, now, is_executable)
    return world


# Writing


def quote(text: str) -> str:
    """A word as a configuration file can hold it: quoted if it is empty or has blanks, quotes or controls."""
    if text and all(ch.isprintable() and not ch.isspace() and ch not in "\"'\\#" for ch in text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return '"' + escaped.replace("\t", "\\t") + '"'


def render(world: World) -> tuple[str, ...]:
    """Every statement needed to be this sentinel again, each without newline, in a stable order."""
    return tuple("sentinel " + " ".join(map(quote, words)) for words in _statements(world))


def _statements(world: World) -> Iterator[tuple[str, ...]]:
    yield "myid", world.my_id
    if not world.deny_scripts_reconfig:
        yield "deny-scripts-reconfig", "no"
    if world.resolve_hostnames:
        yield "resolve-hostnames", "yes"
    if world.announce_hostnames:
        yield "announce-hostnames", "yes"
    for group in world.groups.values():
        yield from _group_statements(world, group)
    yield "current-epoch", str(world.epoch)
    if world.announce_ip:
        yield "announce-ip", world.announce_ip
    if world.announce_port:
        yield "announce-port", str(world.announce_port)
    if world.peer_user:
        yield "sentinel-user", world.peer_user
    if world.peer_pass:
        yield "sentinel-pass", world.peer_pass


def _group_statements(world: World, group: Primary) -> Iterator[tuple[str, ...]]:
    name, shown, leading = group.name, world.shown, group.current_address()
    yield "monitor", name, shown(leading), str(leading.port), str(group.quorum)
    for option, value, default in (
        ("down-after-milliseconds", group.down_after_ms, world.periods.default_down_after),
        ("failover-timeout", group.failover_timeout_ms, world.periods.default_failover_timeout),
        ("parallel-syncs", group.parallel_syncs, 1),
        ("refused-down-after-milliseconds", group.refused_after_ms, DEFAULT_REFUSED_AFTER_MS),
        ("master-reboot-down-after-period", group.reboot_down_after_ms, 0),
        ("notification-script", group.notification_script, None),
        ("client-reconfig-script", group.client_reconfig_script, None),
        ("auth-pass", group.auth_pass, None),
        ("auth-user", group.auth_user, None),
    ):
        if value != default:
            yield option, name, str(value)
    yield "config-epoch", name, str(group.config_epoch)
    yield "leader-epoch", name, str(group.leader_epoch)
    for replica in group.replicas.values():
        address = group.address if replica.address.same(leading) else replica.address
        yield "known-replica", name, shown(address), str(address.port)
    for peer in group.peers.values():
        yield "known-sentinel", name, shown(peer.address), str(peer.address.port), peer.name
    for command, renamed in group.renamed.items():
        yield "rename-command", name, command, renamed
