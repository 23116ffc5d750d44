"""Access control of one server: the users, the log of refusals, and the sessions they concern.

A session whose user may do everything carries no mark and is never asked; the others carry ATT_RESTRICTED, and
each of their requests passes `Access.gate`. A session holds its `User` in `acl`; None stands for the default user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kvserver.acl.log import AclLog, Entry
from kvserver.acl.rules import hash_of
from kvserver.acl.selector import DENIED_CHANNEL, DENIED_COMMAND, DENIED_KEY, Denial, channel_allowed
from kvserver.acl.user import User
from kvserver.acl.users import Users
from kvserver.admin.clients.listing import describe
from kvserver.client.reasons import Reason
from kvserver.config.quoting import decode
from kvserver.engine.command_table.row import Row
from kvserver.engine.run.session import ATT_MULTI, ATT_RESTRICTED, ATT_UNAUTHENTICATED, Session
from kvserver.wire.resp import error

if TYPE_CHECKING:
    from asyncio import Future

    from kvserver.config import Config
    from kvserver.engine.run.executor import Engine

PASS = b""
_REASONS = {DENIED_COMMAND: "command", DENIED_KEY: "key", DENIED_CHANNEL: "channel"}
_TEXTS = {
    DENIED_KEY: "NOPERM this user has no permissions to access one of the keys used as arguments",
    DENIED_CHANNEL: "NOPERM this user has no permissions to access one of the channels used as arguments",
}
_SINCE_QUEUED = {
    DENIED_COMMAND: "no permission to execute the command or subcommand",
    DENIED_KEY: "no permission to touch the specified keys",
    DENIED_CHANNEL: "no permission to access one of the channels used as arguments to the command",
}
_IN_SCRIPT = {
    DENIED_COMMAND: "ERR The user executing the script can't run this command or subcommand",
    DENIED_KEY: "ERR The user executing the script can't access at least one of the keys mentioned in the command "
    "arguments",
    DENIED_CHANNEL: "ERR The user executing the script can't publish to the channel mentioned in the command",
}


class Access:
    """See the module's docstring. Other packages know it as `kvserver.services.offers.AccessControl`."""

    def __init__(self, engine: Engine, config: Config, users: Users) -> None:
        self.engine = engine
        self.config = config
        self.users = users
        self.log = AclLog()
        self.on_default_changed: Callable[[], None] = _nobody
        self.work: set[Future[Any]] = set()  # what long commands still have to do
        self.denied = {"auth": 0, "cmd": 0, "key": 0, "channel": 0}

    # -- who a session is -------------------------------------------------------------------------------------

    def user_of(self, c: Session) -> User:
        """Return the session's user."""
        user: User | None = c.acl
        return self.users.default if user is None else user

    def needs_auth(self) -> bool:
        """Whether a new client must authenticate before it may do anything."""
        default = self.users.default
        return not (default.enabled and default.no_password)

    def has_password(self) -> bool:
        """Whether the default user has, or must be given, a password."""
        return not self.users.default.no_password

    def knows(self, name: bytes) -> bool:
        """Whether there is a user of this name."""
        return name in self.users.by_name

    def configuration_lines(self) -> list[str]:
        """What CONFIG REWRITE writes about users: nothing when they have a file of their own."""
        return [] if self.config.aclfile else [decode(line) for line in self.users.lines()]

    def enter(self, c: Session, user: User) -> None:
        """Make a session a user's."""
        c.user = user.name
        c.acl = None if user is self.users.default else user
        c.attend(ATT_RESTRICTED, user.restricted)

    def enter_default(self, c: Session) -> None:
        """Make a new or a reset session the default user's, who may have to authenticate first."""
        self.enter(c, self.users.default)
        c.attend(ATT_UNAUTHENTICATED, self.needs_auth())

    def authenticate(self, c: Session, name: bytes, password: bytes) -> bool:
        """Let a client in as a user; False (and an entry in the log) when name or password are wrong."""
        user = self.users.get(name)
        if user is None or not user.accepts(hash_of(password)):
            self.note(c, "auth", "multi" if c.attention & ATT_MULTI else "toplevel", c.args[0], name)
            return False
        self.enter(c, user)
        c.attend(ATT_UNAUTHENTICATED, False)
        return True

    # -- whether a request is allowed -------------------------------------------------------------------------

    def gate(self, engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """The gate for clients with less than all permissions."""
        context = "lua" if c.kind == "script" else "multi" if c.attention & ATT_MULTI else "toplevel"
        denial = self.refused(c, row, args, context)
        if denial is None:
            return PASS
        return error(_IN_SCRIPT[denial[0]] if context == "lua" else refusal(row, denial))

    def refused(self, c: Session, row: Row, args: Sequence[bytes], context: str) -> Denial | None:
        """Return why the session's user may not do something, and note it; None when he may."""
        denial = self.user_of(c).check(row.name, row.facts, args)
        if denial is not None:
            why, position = denial
            what = args[position] if position else row.name.encode()
            if context == "lua":
                c = self.engine.current or c  # the client whose script it is
            else:
                c.row, c.args = row, list(args)
            self.note(c, _REASONS[why], context, what, c.user)
        return denial

    def since_queued(self, c: Session, row: Row, args: Sequence[bytes]) -> bytes:
        """Return the error for a queued request that is no longer allowed, or nothing."""
        denial = self.refused(c, row, args, "multi") if c.attention & ATT_RESTRICTED else None
        if denial is None:
            return PASS
        return error(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. "
            f"This command is no longer allowed for the following reason: {_SINCE_QUEUED[denial[0]]}"
        )

    def allows(self, c: Session, row: Row, args: Sequence[bytes]) -> bool:
        """Whether the session's user may do something; nothing is noted (redis.acl_check_cmd)."""
        return self.user_of(c).check(row.name, row.facts, args) is None

    def may_read_everything(self, c: Session, row: Row, args: Sequence[bytes]) -> bool:
        """Whether a request may read keys that aren't among its arguments (SORT's BY and GET)."""
        if not c.attention & ATT_RESTRICTED:
            return True
        return self.user_of(c).may_read_everything(row.name, row.facts, args)

    def note(self, c: Session, reason: str, context: str, what: bytes, user: bytes) -> None:
        """Count a refusal and keep it in the log."""
        self.denied["cmd" if reason == "command" else reason] += 1
        entry = Entry(reason, context, what, user, describe(c), self.engine.state.now_ms)
        self.log.add(entry, self.config.acllog_max_len)

    # -- changes ----------------------------------------------------------------------------------------------

    def user_changed(self, user: User, before: User) -> None:
        """Put changed rules in force for the sessions of a user; end those that listen to what is denied now."""
        wanted = _channels_if_fewer(user, before)
        if user is self.users.default:
            self.on_default_changed()
        for c in self.sessions_of(user):
            c.attend(ATT_RESTRICTED, user.restricted)
            if user is self.users.default and not self.needs_auth():
                c.attend(ATT_UNAUTHENTICATED, False)
            if wanted is not None and _listens_elsewhere(c, wanted):
                self.end(c)

    def users_gone(self, users: Iterable[User]) -> None:
        """End the sessions of users that exist no more."""
        gone = set(map(id, users))
        for c in [c for c in self.engine.sessions.values() if c.acl is not None and id(c.acl) in gone]:
            self.end(c)

    def sessions_of(self, user: User) -> list[Session]:
        """The sessions of one user."""
        acl = None if user is self.users.default else user
        return [c for c in self.engine.sessions.values() if c.acl is acl]

    def end(self, c: Session) -> None:
        """Take a session's rights and end it; the one that asks for that still gets its reply."""
        self.enter(c, self.users.default)
        c.attend(ATT_UNAUTHENTICATED, True)
        c.end(Reason.ACCESS_LOST)

    def password_changed(self) -> None:
        """CONFIG SET requirepass."""
        self.users.set_default_password(self.config.requirepass)
        self.user_changed(self.users.default, self.users.default)


def _nobody() -> None:
    """No server is attached."""


def refusal(row: Row, denial: Denial) -> str:
    """The error that a client gets."""
    return _TEXTS.get(denial[0]) or f"NOPERM this user has no permissions to run the '{row.name}' command"


def _channels_if_fewer(user: User, before: User) -> list[bytes] | None:
    """All channel patterns of a user, or None when none was taken away."""
    if any(selector.all_channels for selector in user.selectors):
        return None
    now = [pattern for selector in user.selectors for pattern in selector.channels]
    for selector in before.selectors:
        if selector.all_channels or any(pattern not in now for pattern in selector.channels):
            return now
    return None


def _listens_elsewhere(c: Session, allowed: list[bytes]) -> bool:
    """Whether a session is subscribed to what none of the patterns allows."""
    return (
        any(not channel_allowed(allowed, pattern, True) for pattern in c.patterns)
        or any(not channel_allowed(allowed, channel, False) for channel in c.channels)
        or any(not channel_allowed(allowed, channel, False) for channel in c.shard_channels)
    )
