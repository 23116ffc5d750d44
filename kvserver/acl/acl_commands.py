"""The command ACL."""

from __future__ import annotations

from kvserver.acl.access import Access
from kvserver.acl.rules import RuleError
from kvserver.acl.selector import DENIED_COMMAND, DENIED_KEY, Selector
from kvserver.acl.slices import free_later, sliced
from kvserver.acl.steps import Steps, finish
from kvserver.acl.user import User
from kvserver.acl.users import DEFAULT
from kvserver.engine.command_table.naming import find, resolve
from kvserver.engine.run.session import Session
from kvserver.errors import CommandError, shown, wrong_arity
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import (
    EMPTY_ARRAY,
    OK,
    array,
    bulk,
    bulks,
    double,
    error,
    integer,
    map_header,
    null,
    set_header,
    simple,
)

_NOT_SAVED = error("ERR There was an error trying to save the ACLs. Please check the server logs for more information")
GENPASS_MAX_BITS = 4096
HELP = (
    "ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CAT [<category>]",
    "    List the commands of a category, or the categories.",
    "DELUSER <username> [<username> ...]",
    "    Delete users, and end their connections.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Say whether a user may run a command, without running it.",
    "GETUSER <username>",
    "    Reply the rules of a user.",
    "GENPASS [<bits>]",
    "    Make a password from random bits (default: 256).",
    "LIST",
    "    Reply all users as lines of a configuration file.",
    "LOAD",
    "    Read the users from the ACL file.",
    "LOG [<count> | RESET]",
    "    Reply the newest refusals, or forget them.",
    "SAVE",
    "    Write the users to the ACL file.",
    "SETUSER <username> <rule> [<rule> ...]",
    "    Create or change a user.",
    "USERS",
    "    Reply the names of all users.",
    "WHOAMI",
    "    Reply the user of this connection.",
    "HELP",
    "    Print this help.",
)
_NO_FILE = (
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL "
    "SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in "
    "order to store users in the Redis configuration."
)


def access_of(c: Session) -> Access:
    """The access control of the session's engine."""
    return c.engine.services.kept(Access)


def _misused(sub: str) -> CommandError:
    return CommandError(f"ERR unknown subcommand or wrong number of arguments for '{sub}'. Try ACL HELP.")


def setuser(c: Session, a: list[bytes]) -> bytes:
    """ACL SETUSER name rule ..."""
    access = access_of(c)
    try:
        user, before = access.users.configure(a[2], a[3:])
    except RuleError as failure:
        raise CommandError(f"ERR {failure}".encode("utf-8", "surrogateescape")) from None
    access.user_changed(user, before)
    return OK


def deluser(c: Session, a: list[bytes]) -> bytes:
    """ACL DELUSER name ..."""
    access = access_of(c)
    if DEFAULT in a[2:]:
        raise CommandError("ERR The 'default' user cannot be removed")
    deleted = [user for name in a[2:] if (user := access.users.delete(name)) is not None]
    access.users_gone(deleted)
    return integer(len(deleted))


def getuser(c: Session, a: list[bytes]) -> bytes:
    """ACL GETUSER name."""
    user = access_of(c).users.get(a[2])
    if user is None:
        return null(c.resp)
    flags = user.flags()
    return (
        map_header(6, c.resp)
        + bulk(b"flags")
        + set_header(len(flags), c.resp)
        + b"".join(map(bulk, flags))
        + bulk(b"passwords")
        + bulks(user.passwords)
        + _permissions(user.selectors[0])
        + bulk(b"selectors")
        + array([map_header(3, c.resp) + _permissions(selector) for selector in user.selectors[1:]])
    )


def _permissions(selector: Selector) -> bytes:
    pairs = (
        (b"commands", selector.command_rules()),
        (b"keys", selector.key_rules()),
        (b"channels", selector.channel_rules()),
    )
    return b"".join(bulk(name) + bulk(value) for name, value in pairs)


def list_(c: Session, a: list[bytes]) -> bytes | None:
    """ACL LIST."""
    return sliced(c, access_of(c).users.describing(), bulks)


def users(c: Session, a: list[bytes]) -> bytes:
    """ACL USERS."""
    return bulks([user.name for user in access_of(c).users.sorted()])


def whoami(c: Session, a: list[bytes]) -> bytes:
    """ACL WHOAMI."""
    return bulk(c.user)


def cat(c: Session, a: list[bytes]) -> bytes:
    """ACL CAT [category]."""
    if len(a) > 3:
        raise _misused("CAT")
    book = access_of(c).users.book
    if len(a) == 2:
        return bulks([name.encode() for name in book.categories])
    category = book.category(a[2])
    if category is None:
        raise CommandError(b"ERR Unknown category '%b'" % a[2])
    return bulks([name.encode() for name in book.listed(book.categories[category])])


def genpass(c: Session, a: list[bytes]) -> bytes:
    """ACL GENPASS [bits]."""
    if len(a) > 3:
        raise _misused("GENPASS")
    bits = parse_int(a[2]) if len(a) == 3 else 256
    if not 0 < bits <= GENPASS_MAX_BITS:
        raise CommandError(
            "ERR ACL GENPASS argument must be the number of bits for the output password, "
            f"a positive number up to {GENPASS_MAX_BITS}"
        )
    digits = (bits + 3) // 4
    return bulk(c.engine.services.doors.chance.token((digits + 1) // 2)[:digits].encode())


def log(c: Session, a: list[bytes]) -> bytes:
    """ACL LOG [count | RESET]."""
    if len(a) > 3:
        raise _misused("LOG")
    access = access_of(c)
    count = 10
    if len(a) == 3 and a[2].upper() == b"RESET":
        access.log.clear()
        return OK
    if len(a) == 3:
        count = max(0, parse_int(a[2]))
    entries = access.log.entries[:count]
    if not entries:
        return EMPTY_ARRAY
    now_ms = c.engine.state.now_ms
    out: list[bytes] = []
    for entry in entries:
        pairs = (
            (b"count", integer(entry.count)),
            (b"reason", bulk(entry.reason.encode())),
            (b"context", bulk(entry.context.encode())),
            (b"object", bulk(entry.what)),
            (b"username", bulk(entry.user)),
            (b"age-seconds", double((now_ms - entry.at_ms) / 1000, c.resp)),
            (b"client-info", bulk(entry.client)),
        )
        out.append(map_header(len(pairs), c.resp) + b"".join(bulk(name) + value for name, value in pairs))
    return array(out)


def dryrun(c: Session, a: list[bytes]) -> bytes:
    """ACL DRYRUN user command [argument ...]."""
    access = access_of(c)
    user = access.users.get(a[2])
    if user is None:
        raise CommandError(b"ERR User '%b' not found" % shown(a[2]))
    args = a[3:]
    row = resolve(c.engine.rows, args)
    if row is None:
        raise CommandError(b"ERR Command '%b' not found" % shown(a[3]))
    if find(c.engine.rows, args) is None:
        raise wrong_arity(row.name)
    denial = user.check(row.name, row.facts, args)
    if denial is None:
        return OK
    why, position = denial
    if why == DENIED_COMMAND:
        return bulk(b"This user has no permissions to run the '%b' command" % row.name.encode())
    kind = b"key" if why == DENIED_KEY else b"channel"
    return bulk(b"This user has no permissions to access the '%b' %b" % (args[position], kind))


def save(c: Session, a: list[bytes]) -> bytes | None:
    """ACL SAVE: the file holds all users afterwards, or what it held before."""
    access = access_of(c)
    if not access.config.aclfile:
        raise CommandError(_NO_FILE)
    doors = c.engine.services.doors
    path = doors.disk.path(access.config.aclfile)

    def write(lines: list[bytes]) -> bytes:
        try:
            doors.disk.replace(path, b"".join(line + b"\n" for line in lines))
        except OSError:
            return _NOT_SAVED
        return OK

    if c.no_block:
        return sliced(c, access.users.describing(), write)
    return sliced(c, access.users.describing(), lambda lines: doors.threads.run(write, lines))


def load(c: Session, a: list[bytes]) -> bytes | None:
    """ACL LOAD: the users of the file, all of them, or what there was before."""
    access = access_of(c)
    if not access.config.aclfile:
        raise CommandError(_NO_FILE)

    def conclude(gone: list[User]) -> bytes:
        free_later(c, gone)
        return OK

    return sliced(c, loading(access), conclude)


def load_file(access: Access) -> None:
    """Read the ACL file at once.

    Raises:
        RuleError: it can't be read, or what is wrong in it; the users stay as they were.
    """
    finish(loading(access))


def loading(access: Access) -> Steps[list[User]]:
    """The same in steps, of which only the last one changes anything; returns the users that are no more."""
    name = access.config.aclfile
    try:
        text = access.engine.services.doors.disk.path(name).read_bytes()
    except OSError as failure:
        raise RuleError(f"Error loading ACLs, opening file '{name}': {failure.strerror or failure}") from None
    before = access.users.default.copy()
    gone = yield from access.users.loading(text, name)
    access.user_changed(access.users.default, before)
    access.users_gone(gone)
    return gone


def help_(c: Session, a: list[bytes]) -> bytes:
    """ACL HELP."""
    return array([simple(line) for line in HELP])


HANDLERS = {
    "ACL|CAT": cat,
    "ACL|DELUSER": deluser,
    "ACL|DRYRUN": dryrun,
    "ACL|GENPASS": genpass,
    "ACL|GETUSER": getuser,
    "ACL|HELP": help_,
    "ACL|LIST": list_,
    "ACL|LOAD": load,
    "ACL|LOG": log,
    "ACL|SAVE": save,
    "ACL|SETUSER": setuser,
    "ACL|USERS": users,
    "ACL|WHOAMI": whoami,
}
