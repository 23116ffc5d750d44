"""Plugs access control into a data node: the command, the gate, the users of the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kvserver.acl import acl_commands as commands
from kvserver.acl.access import Access
from kvserver.acl.book import CommandBook
from kvserver.acl.grants import Gatekeeper
from kvserver.acl.rules import RuleError
from kvserver.acl.users import Users
from kvserver.config import Config, ConfigError, fatal
from kvserver.config.quoting import encode
from kvserver.engine.command_table import catalog

if TYPE_CHECKING:
    from kvserver.engine.command_table.catalog import CommandFacts
    from kvserver.node.node import Node

_BOTH_SOURCES = (
    "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. "
    "This setup is very likely to lead to configuration errors and security holes, please define either an ACL "
    "file or declare users directly in your redis.conf, but not both."
)


def attach(node: Node, served: Iterable[CommandFacts] | None = None) -> None:
    """Add access control; to be called when all other handlers are there.

    Rules may speak of every command of Redis 7.0, also of one that this server lacks, so that files written for
    another server mean the same here; and of later commands that it has. A server whose commands are not those
    of a data node gives them, as `served`.

    Raises:
        ConfigError: a user of the configuration or the ACL file is wrong; the whole text for the operator.
    """
    node.handlers.update(commands.HANDLERS)
    engine, config = node.engine, node.config
    there = node.handlers.keys() | {name.partition("|")[0] for name in node.handlers}
    absent = catalog.later() - there
    book = CommandBook(served or (facts for name, facts in catalog.load().items() if name not in absent))
    access = Access(engine, config, Users(book))
    node.services.access = access
    node.services.keep(access)
    engine.may = Gatekeeper(access.users.default).allows
    engine.set_gate("acl", access.gate)
    access.on_default_changed = lambda: _protect(access, node)
    config.on_change("requirepass", lambda config: access.password_changed())
    config.on_change("acllog-max-len", lambda config: access.log.trim(config.acllog_max_len))
    config.on_change("acl-pubsub-default", lambda config: _follow(access, config))
    _follow(access, config)
    if config.requirepass:
        access.users.set_default_password(config.requirepass)
    _load(access, node)
    node.services.contributions.add_info(
        "stats", lambda: [(f"acl_access_denied_{reason}", count) for reason, count in access.denied.items()]
    )
    node.services.signals.stats_reset.connect(lambda: access.denied.update(dict.fromkeys(access.denied, 0)))


def _protect(access: Access, node: Node) -> None:
    """Strangers are kept out while whoever connects is let in (protected-mode)."""
    node.server.limits.protected_mode = node.config.protected_mode and not access.needs_auth()


def _follow(access: Access, config: Config) -> None:
    access.users.channels_at_first = config.acl_pubsub_default == "allchannels"


def _load(access: Access, node: Node) -> None:
    """Take the users of the configuration, or those of the ACL file."""
    lines, config = node.loaded.users, node.config
    if lines and config.aclfile:
        raise ConfigError(_BOTH_SOURCES)
    defined: set[bytes] = set()
    for where, args in lines:
        try:
            access.users.define([encode(arg) for arg in args], defined)
        except RuleError as failure:
            raise fatal(where, str(failure)) from None
    if config.aclfile:
        try:
            commands.load_file(access)
        except RuleError as failure:
            raise ConfigError(f"Aborting Redis startup because of ACL errors: {failure}") from None
