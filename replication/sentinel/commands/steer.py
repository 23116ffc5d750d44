"""SENTINEL subcommands that change something: MONITOR, REMOVE, RESET, FAILOVER, SET, CONFIG, DEBUG ..."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING

from kvserver.errors import CommandError, wrong_arity
from kvserver.wire.glob import matcher
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import OK, array_header, bulk, integer, simple
from replication.sentinel.commands.seat import (
    Seat,
    encode_fields,
    exactly,
    group_named,
    seat_of,
    text_of,
)
from replication.sentinel.mind import failover, links
from replication.sentinel.mind.groups import reset_group
from replication.sentinel.mind.messages import Level
from replication.sentinel.mind.selection import select_replica
from replication.sentinel.mind.turn import Turn
from replication.sentinel.options.settings import GLOBAL_OPTIONS, GROUP_OPTIONS, BadValue, number
from replication.sentinel.shell.runner import NotSaved
from replication.sentinel.world.address import BadAddress
from replication.sentinel.world.group import Instance, Primary
from replication.sentinel.world.world import DuplicateInstance, Periods

if TYPE_CHECKING:
    from kvserver.engine.run.session import Session

SCRIPTS_DENIED = (
    "ERR Reconfiguration of scripts path is denied for security reasons. Check the deny-scripts-reconfig "
    "configuration directive in your Sentinel configuration"
)


def _saved(seat: Seat) -> bytes:
    try:
        seat.runner.save()
    except NotSaved:
        raise CommandError("ERR Failed to save config file. Check server logs.") from None
    return OK


def monitor(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL MONITOR name ip port quorum."""
    exactly(a, 6)
    quorum = parse_int(a[5], "ERR Invalid quorum")
    port = parse_int(a[4], "ERR Invalid port")
    if quorum <= 0:
        raise CommandError("ERR Quorum must be 1 or greater.")
    seat = seat_of(c)
    if seat.world.resolve(text_of(a[3])) is None:
        raise CommandError("ERR Invalid IP address or hostname specified")

    def change(turn: Turn) -> None:
        address = turn.world.address(text_of(a[3]), port)
        group = turn.world.add_group(text_of(a[2]), address, quorum, turn.now)
        turn.persist()
        turn.emit(Level.WARNING, "+monitor", group, f"quorum {quorum}")

    try:
        seat.runner.decide(change)
    except (BadAddress, DuplicateInstance) as problem:
        raise CommandError(f"ERR {problem}") from None
    return _saved(seat)


def remove(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL REMOVE name."""
    exactly(a, 3)
    group = group_named(c, a[2])

    def change(turn: Turn) -> None:
        turn.emit(Level.WARNING, "-monitor", group)
        for instance in list(group.members()):
            links.release(turn, instance)
        del turn.world.groups[group.name]
        turn.persist()

    seat_of(c).runner.decide(change)
    return _saved(seat_of(c))


def reset(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL RESET pattern: forget replicas, peers and failovers of the groups that match."""
    exactly(a, 3)
    groups = [g for g in seat_of(c).world.groups.values() if matcher(a[2])(g.name.encode())]

    def change(turn: Turn) -> None:
        for group in groups:
            reset_group(turn, group, forget_peers=True)
            turn.emit(Level.WARNING, "+reset-master", group)
            turn.persist()

    seat_of(c).runner.decide(change)
    return integer(len(groups))


def start_failover(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL FAILOVER name: promote a replica although the primary may be well, without asking peers."""
    exactly(a, 3)
    group, seat = group_named(c, a[2]), seat_of(c)
    if group.failing_over:
        raise CommandError("INPROG Failover already in progress")
    if select_replica(seat.world, group, seat.now_ms) is None:
        raise CommandError("NOGOODSLAVE No suitable replica to promote")
    seat.runner.decide(lambda turn: failover.start(turn, group, forced=True))
    return OK


def flush_config(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL FLUSHCONFIG."""
    exactly(a, 2)
    return _saved(seat_of(c))


def set_option(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL SET name option value [option value ...]: applied from left to right, up to the first error."""
    group, seat = group_named(c, a[2]), seat_of(c)
    words = [text_of(arg) for arg in a[3:]]
    changes = 0
    try:
        while words:
            used = _set_one(seat, group, words)
            shown = [words[0], "******"] if _is_secret(words[0]) else words[:used]
            text = " ".join(shown)
            seat.runner.decide(partial(Turn.emit, level=Level.WARNING, channel="+set", instance=group, detail=text))
            words = words[used:]
            changes += 1
    except CommandError:
        if changes:
            _saved(seat)
        raise
    return _saved(seat)


def _is_secret(option: str) -> bool:
    known = GROUP_OPTIONS.get(option.lower())
    return known is not None and known.secret


def _set_one(seat: Seat, group: Primary, words: list[str]) -> int:
    """Apply the first option; returns how many words it took."""
    name = words[0]
    option = GROUP_OPTIONS.get(name.lower())
    if name.lower() == "rename-command" and len(words) > 2:
        return _rename(group, words)
    if option is None or len(words) < 2:
        raise CommandError(f"ERR Unknown option or number of arguments for SENTINEL SET '{name}'")
    value = words[1]
    if option.script and seat.world.deny_scripts_reconfig:
        raise CommandError(SCRIPTS_DENIED)
    if option.script and value and not seat.is_executable(value):
        raise CommandError(f"ERR {option.script} seems non existing or non executable")
    try:
        option.apply(group, value)
    except BadValue:
        raise CommandError(f"ERR Invalid argument '{value}' for SENTINEL SET '{name}'") from None
    if option.reconnects:
        _reconnect(seat, [group, *group.replicas.values()])
    return 2


def _rename(group: Primary, words: list[str]) -> int:
    old, new = words[1].lower(), words[2]
    if not old or not new:
        raise CommandError(f"ERR Invalid argument '{words[1] if new else new}' for SENTINEL SET '{words[0]}'")
    group.renamed.pop(old, None)
    if old != new.lower():
        group.renamed[old] = new
    return 3


def _reconnect(seat: Seat, instances: list[Instance]) -> None:
    def change(turn: Turn) -> None:
        for instance in instances:
            links.reset_link(turn, instance.link)

    seat.runner.decide(change)


def config(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL CONFIG GET pattern | SET option value."""
    verb = text_of(a[2]).lower()
    if verb == "get" and len(a) == 4:
        found = [(name, option.get(seat_of(c).world)) for name, option in GLOBAL_OPTIONS.items()
                 if matcher(a[3], ignore_case=True)(name.encode())]
        return encode_fields(found, c.resp)
    if verb == "set" and len(a) == 5:
        return _config_set(seat_of(c), text_of(a[3]), text_of(a[4]))
    raise CommandError("ERR Only SENTINEL CONFIG GET <option> / SET <option> <value> are supported.")


def _config_set(seat: Seat, name: str, value: str) -> bytes:
    option = GLOBAL_OPTIONS.get(name.lower())
    if option is None:
        raise CommandError(f"ERR Invalid argument '{name}' to SENTINEL CONFIG SET")
    try:
        option.set(seat.world, value)
    except BadValue:
        raise CommandError(f"ERR Invalid value '{value}' to SENTINEL CONFIG SET '{name}'") from None
    if option.reconnects:
        _reconnect(seat, [peer for group in seat.world.groups.values() for peer in group.peers.values()])
    return _saved(seat)


def debug(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL DEBUG [parameter milliseconds ...]: show or change the timing of this sentinel."""
    periods = seat_of(c).world.periods
    names = {each.name.replace("_", "-"): each.name for each in fields(Periods)}
    words = [text_of(arg) for arg in a[2:]]
    if not words:
        shown: list[tuple[str, str | int]] = [(n.upper(), getattr(periods, x)) for n, x in names.items()]
        return encode_fields(shown, c.resp)
    for position in range(0, len(words), 2):
        name = words[position]
        if name.lower() not in names or position + 1 == len(words):
            raise CommandError(f"ERR Unknown option or number of arguments for SENTINEL DEBUG '{name}'")
        value = words[position + 1]
        try:
            setattr(periods, names[name.lower()], number(value, 1))
        except BadValue:
            raise CommandError(f"ERR Invalid argument '{value}' for SENTINEL DEBUG '{name}'") from None
    return OK


def simulate_failure(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL SIMULATE-FAILURE [crash-after-election] [crash-after-promotion] [help]."""
    world = seat_of(c).world
    world.crash_after_election = world.crash_after_promotion = False
    for word in (text_of(arg).lower() for arg in a[2:]):
        if word == "crash-after-election":
            world.crash_after_election = True
        elif word == "crash-after-promotion":
            world.crash_after_promotion = True
        elif word == "help":
            return array_header(2) + bulk(b"crash-after-election") + bulk(b"crash-after-promotion")
        else:
            raise CommandError("ERR Unknown failure simulation specified")
    return OK


_HELP = (
    "SENTINEL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CKQUORUM <master-name>",
    "    Tell whether enough sentinels are up for the quorum and for the majority.",
    "CONFIG SET <param> <value>",
    "    Change an option of this sentinel.",
    "CONFIG GET <param>",
    "    Show the options of this sentinel that match.",
    "DEBUG [<param> <value> ...]",
    "    Show, or change, the timing of this sentinel (milliseconds).",
    "FAILOVER <master-name>",
    "    Promote a replica now, without the agreement of other sentinels.",
    "FLUSHCONFIG",
    "    Write the configuration file, which holds this sentinel's state.",
    "GET-MASTER-ADDR-BY-NAME <master-name>",
    "    Show ip and port of the primary.",
    "INFO-CACHE <master-name> [<master-name> ...]",
    "    Show the last INFO of the primary and its replicas.",
    "IS-MASTER-DOWN-BY-ADDR <ip> <port> <current-epoch> <runid>",
    "    Tell whether this sentinel holds the primary for down; vote, unless runid is *.",
    "MASTER <master-name>",
    "    Show what is known of the primary.",
    "MASTERS",
    "    Show what is known of every primary.",
    "MONITOR <name> <ip> <port> <quorum>",
    "    Watch a primary.",
    "MYID",
    "    Show the id of this sentinel.",
    "PENDING-SCRIPTS",
    "    Show the scripts that run or wait.",
    "REMOVE <master-name>",
    "    Stop watching a primary.",
    "REPLICAS <master-name>",
    "    Show what is known of the replicas.",
    "RESET <pattern>",
    "    Forget replicas, sentinels and failovers of the primaries that match.",
    "SENTINELS <master-name>",
    "    Show what is known of the other sentinels.",
    "SET <master-name> <option> <value> [<option> <value> ...]",
    "    Change options of a primary.",
    "SIMULATE-FAILURE [CRASH-AFTER-ELECTION] [CRASH-AFTER-PROMOTION] [HELP]",
    "    Crash at a chosen moment of the next failover.",
    "HELP",
    "    Print this help.",
)


def help_(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL HELP."""
    if len(a) != 2:
        raise wrong_arity("sentinel|help")
    return array_header(len(_HELP)) + b"".join(map(simple, _HELP))


HANDLERS = {
    "SENTINEL|CONFIG": config,
    "SENTINEL|DEBUG": debug,
    "SENTINEL|FAILOVER": start_failover,
    "SENTINEL|FLUSHCONFIG": flush_config,
    "SENTINEL|HELP": help_,
    "SENTINEL|MONITOR": monitor,
    "SENTINEL|REMOVE": remove,
    "SENTINEL|RESET": reset,
    "SENTINEL|SET": set_option,
    "SENTINEL|SIMULATE-FAILURE": simulate_failure,
}
