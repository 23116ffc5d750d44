"""SENTINEL subcommands that change something: MONITOR, REMOVE, RESET, FAILOVER, SET, CONFIG, DEBUG ..."""

from __future__ import annotations

from dataclasses import fields
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
from replication.sentinel.mind.orders import (
    ForceFailover,
    Order,
    RenameCommand,
    Reset,
    SetOption,
    SetPeriod,
    SimulateFailure,
    Unwatch,
    Watch,
)
from replication.sentinel.options.kinds import PERIOD, DirectiveError
from replication.sentinel.options.table import SETTABLE_OF_GROUP, SETTABLE_OURS
from replication.sentinel.shell.resolver import look_up_at_once
from replication.sentinel.shell.runner import NotSaved
from replication.sentinel.world.address import BadAddress
from replication.sentinel.world.world import Periods

if TYPE_CHECKING:
    from kvserver.engine.run.session import Session

SCRIPTS_DENIED = (
    "ERR Reconfiguration of scripts path is denied for security reasons. Check the deny-scripts-reconfig "
    "configuration directive in your Sentinel configuration"
)


def _give(seat: Seat, order: Order) -> None:
    """Hand an order to the decisions. Raises CommandError with what they have against it."""
    refusal = seat.runner.order(order)
    if refusal is not None:
        raise CommandError(refusal)


def _saved(seat: Seat, *, write: bool = False) -> bytes:
    """The reply to what must be on disk; with `write`, the file is written anew in any case."""
    try:
        if write:
            seat.runner.save()
        else:
            seat.runner.ensure_saved()
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
    seat, host = seat_of(c), text_of(a[3])
    found = look_up_at_once(seat.world, host)
    if found is not None:
        seat.runner.handle(found)
    if seat.world.known_ip(host) is None:
        raise CommandError("ERR Invalid IP address or hostname specified")
    try:
        address = seat.world.address(host, port)
    except BadAddress as problem:
        raise CommandError(f"ERR {problem}") from None
    _give(seat, Watch(text_of(a[2]), address, quorum))
    return _saved(seat)


def remove(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL REMOVE name."""
    exactly(a, 3)
    _give(seat_of(c), Unwatch(text_of(a[2])))
    return _saved(seat_of(c))


def reset(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL RESET pattern: forget replicas, peers and failovers of the groups that match."""
    exactly(a, 3)
    names = tuple(name for name in seat_of(c).world.groups if matcher(a[2])(name.encode()))
    _give(seat_of(c), Reset(names))
    return integer(len(names))


def start_failover(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL FAILOVER name [FORCE-UNSAFE]: promote a replica although the primary may be well, and ask no peer."""
    unsafe = len(a) == 4 and text_of(a[3]).lower() == "force-unsafe"
    if not unsafe:
        exactly(a, 3)
    _give(seat_of(c), ForceFailover(text_of(a[2]), unsafe))
    return OK


def flush_config(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL FLUSHCONFIG."""
    exactly(a, 2)
    return _saved(seat_of(c), write=True)


def set_option(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL SET name option value [option value ...]: applied from left to right, up to the first error."""
    group, seat = group_named(c, a[2]), seat_of(c)
    words = [text_of(arg) for arg in a[3:]]
    while words:
        order = _option_order(seat, group.name, words)
        _give(seat, order)
        words = words[3 if isinstance(order, RenameCommand) else 2:]
    return _saved(seat)


def _option_order(seat: Seat, group: str, words: list[str]) -> SetOption | RenameCommand:
    """The order that the first words of SENTINEL SET give. Raises CommandError."""
    name = words[0]
    if name.lower() == "rename-command" and len(words) > 2:
        old, new = words[1:3]
        if not old or not new:
            raise CommandError(f"ERR Invalid argument '{old if new else new}' for SENTINEL SET '{name}'")
        return RenameCommand(group, old, new, " ".join(words[:3]))
    option = SETTABLE_OF_GROUP.get(name.lower())
    if option is None or len(words) < 2:
        raise CommandError(f"ERR Unknown option or number of arguments for SENTINEL SET '{name}'")
    text = words[1]
    if option.program and seat.world.deny_scripts_reconfig:
        raise CommandError(SCRIPTS_DENIED)
    if option.program and text and not seat.is_executable(text):
        raise CommandError(f"ERR {option.program} seems non existing or non executable")
    try:
        value = option.kind.read(text, name)
    except DirectiveError:
        raise CommandError(f"ERR Invalid argument '{text}' for SENTINEL SET '{name}'") from None
    return SetOption(group, option, value, f"{name} {'******' if option.secret else text}")


def config(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL CONFIG GET pattern | SET option value."""
    verb = text_of(a[2]).lower()
    if verb == "get" and len(a) == 4:
        world = seat_of(c).world
        found = [(name, option.show(world)) for name, option in SETTABLE_OURS.items()
                 if matcher(a[3], ignore_case=True)(name.encode())]
        return encode_fields(found, c.resp)
    if verb == "set" and len(a) == 5:
        return _config_set(seat_of(c), text_of(a[3]), text_of(a[4]))
    raise CommandError("ERR Only SENTINEL CONFIG GET <option> / SET <option> <value> are supported.")


def _config_set(seat: Seat, name: str, text: str) -> bytes:
    option = SETTABLE_OURS.get(name.lower())
    if option is None:
        raise CommandError(f"ERR Invalid argument '{name}' to SENTINEL CONFIG SET")
    try:
        value = option.kind.read(text, name)
    except DirectiveError:
        raise CommandError(f"ERR Invalid value '{text}' to SENTINEL CONFIG SET '{name}'") from None
    _give(seat, SetOption(None, option, value))
    return _saved(seat)


def debug(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL DEBUG [parameter milliseconds ...]: show or change the timing of this sentinel."""
    seat = seat_of(c)
    names = {each.name.replace("_", "-"): each.name for each in fields(Periods)}
    words = [text_of(arg) for arg in a[2:]]
    if not words:
        periods = seat.world.periods
        shown: list[tuple[str, str | int]] = [(n.upper(), getattr(periods, x)) for n, x in names.items()]
        return encode_fields(shown, c.resp)
    for position in range(0, len(words), 2):
        name = words[position]
        if name.lower() not in names or position + 1 == len(words):
            raise CommandError(f"ERR Unknown option or number of arguments for SENTINEL DEBUG '{name}'")
        text = words[position + 1]
        try:
            milliseconds = PERIOD.read(text, name)
        except DirectiveError:
            raise CommandError(f"ERR Invalid argument '{text}' for SENTINEL DEBUG '{name}'") from None
        _give(seat, SetPeriod(names[name.lower()], milliseconds))
    return OK


def simulate_failure(c: Session, a: list[bytes]) -> bytes:
    """SENTINEL SIMULATE-FAILURE [crash-after-election] [crash-after-promotion] [help]."""
    wanted: set[str] = set()
    reply = OK
    refusal = ""
    for word in (text_of(arg).lower() for arg in a[2:]):
        if word in _CRASHES:
            wanted.add(word)
        elif word == "help":
            reply = array_header(len(_CRASHES)) + b"".join(bulk(each.encode()) for each in _CRASHES)
            break
        else:
            refusal = "ERR Unknown failure simulation specified"
            break
    _give(seat_of(c), SimulateFailure(*(word in wanted for word in _CRASHES)))
    if refusal:
        raise CommandError(refusal)
    return reply


_CRASHES = ("crash-after-election", "crash-after-promotion")

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
    "FAILOVER <master-name> [FORCE-UNSAFE]",
    "    Promote a replica now, without the agreement of other sentinels. FORCE-UNSAFE: in a group that",
    "    acknowledges by quorum, even if acknowledged writes may be lost.",
    "FLUSHCONFIG",
    "    Write the configuration file, in which this sentinel's state is.",
    "GET-MASTER-ADDR-BY-NAME <master-name>",
    "    Show ip and port of the primary.",
    "INFO-CACHE <master-name> [<master-name> ...]",
    "    Show the last INFO of the primary and its replicas.",
    "IS-MASTER-DOWN-BY-ADDR <ip> <port> <current-epoch> <runid>",
    "    Tell whether this sentinel considers the primary down; vote, unless runid is *.",
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
