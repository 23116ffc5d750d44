"""SENTINEL SET, SENTINEL CONFIG and SENTINEL DEBUG as tables: which option takes what, and what it changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from replication.sentinel.options.directives import DirectiveError, to_int
from replication.sentinel.world.group import Primary
from replication.sentinel.world.world import World


class BadValue(ValueError):
    """The value doesn't fit the option."""


def number(text: str, low: int, high: int = 2**63 - 1) -> int:
    try:
        value = to_int(text)
    except DirectiveError:
        raise BadValue from None
    if not low <= value <= high:
        raise BadValue
    return value


def yes_no(text: str) -> bool:
    if text.lower() not in ("yes", "no"):
        raise BadValue
    return text.lower() == "yes"


@dataclass(frozen=True, slots=True)
class GroupOption:
    """An option of SENTINEL SET with one value. `script`: the value is a program; `secret`: never shown."""

    apply: Callable[[Primary, str], None]
    secret: bool = False
    reconnects: bool = False
    script: str = ""


def _numeric(attribute: str, low: int = 1) -> GroupOption:
    def apply(group: Primary, text: str) -> None:
        setattr(group, attribute, number(text, low))

    return GroupOption(apply)


def _text(attribute: str, *, secret: bool = False, reconnects: bool = False, script: str = "") -> GroupOption:
    def apply(group: Primary, text: str) -> None:
        setattr(group, attribute, text or None)

    return GroupOption(apply, secret, reconnects, script)


GROUP_OPTIONS: dict[str, GroupOption] = {
    "down-after-milliseconds": _numeric("down_after_ms"),
    "failover-timeout": _numeric("failover_timeout_ms"),
    "parallel-syncs": _numeric("parallel_syncs"),
    "notification-script": _text("notification_script", script="Notification script"),
    "client-reconfig-script": _text("client_reconfig_script", script="Client reconfiguration script"),
    "auth-pass": _text("auth_pass", secret=True, reconnects=True),
    "auth-user": _text("auth_user", reconnects=True),
    "quorum": _numeric("quorum"),
    "master-reboot-down-after-period": _numeric("reboot_down_after_ms", low=0),
    "refused-down-after-milliseconds": _numeric("refused_after_ms", low=0),
}


@dataclass(frozen=True, slots=True)
class GlobalOption:
    """An option of SENTINEL CONFIG. `reconnects`: the peers must be met again."""

    get: Callable[[World], str]
    set: Callable[[World, str], None]
    reconnects: bool = False


def _flag(attribute: str) -> GlobalOption:
    return GlobalOption(lambda world: "yes" if getattr(world, attribute) else "no",
                        lambda world, text: setattr(world, attribute, yes_no(text)))


def _word(attribute: str, *, reconnects: bool = False) -> GlobalOption:
    return GlobalOption(lambda world: getattr(world, attribute) or "",
                        lambda world, text: setattr(world, attribute, text or None), reconnects)


GLOBAL_OPTIONS: dict[str, GlobalOption] = {
    "resolve-hostnames": _flag("resolve_hostnames"),
    "announce-hostnames": _flag("announce_hostnames"),
    "announce-ip": _word("announce_ip"),
    "announce-port": GlobalOption(
        lambda world: str(world.announce_port),
        lambda world, text: setattr(world, "announce_port", number(text, 0, 65535))),
    "sentinel-user": _word("peer_user", reconnects=True),
    "sentinel-pass": _word("peer_pass", reconnects=True),
}
