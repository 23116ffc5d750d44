"""CLIENT subcommands that act on other clients: KILL, PAUSE, UNPAUSE, UNBLOCK."""

from __future__ import annotations

from collections.abc import Callable

from kvserver.admin.clients.listing import parse_type, type_of
from kvserver.admin.clients.pause import BLOCKED_KIND, MODE_ALL, MODE_WRITE
from kvserver.admin.context import admin_of
from kvserver.client.reasons import Reason
from kvserver.engine.run import blocking
from kvserver.engine.run.session import Session
from kvserver.errors import SYNTAX, CommandError, shown
from kvserver.wire.numbers import INT64_MAX, is_int, parse_int
from kvserver.wire.resp import OK, ONE, ZERO, error, integer

REASON = "client"
_NOT_UNBLOCKABLE = (BLOCKED_KIND, "shutdown")
Test = Callable[[Session], bool]


def kill(c: Session, a: list[bytes]) -> bytes:
    """CLIENT KILL address, or CLIENT KILL option value ...: the old form may end the caller itself."""
    if len(a) == 3:
        if not _end(c, [_by_address(a[2])], skip_me=False):
            raise CommandError("ERR No such client")
        return OK
    if len(a) % 2:
        raise CommandError(SYNTAX)
    tests: list[Test] = []
    skip_me = True
    for name, value in zip(a[2::2], a[3::2], strict=True):
        option = name.upper()
        if option == b"SKIPME":
            if value.upper() not in (b"YES", b"NO"):
                raise CommandError(SYNTAX)
            skip_me = value.upper() == b"YES"
        elif option == b"USER":
            tests.append(_by_user(c, value))
        elif option == b"MAXAGE":
            tests.append(_by_age(c, value))
        elif option in _KILL_OPTIONS:
            tests.append(_KILL_OPTIONS[option](value))
        else:
            raise CommandError(SYNTAX)
    return integer(_end(c, tests, skip_me))


def _by_id(raw: bytes) -> Test:
    text = "ERR client-id should be greater than 0"
    number = parse_int(raw, text)
    if number < 1:
        raise CommandError(text)
    return lambda session: session.id == number


def _by_type(raw: bytes) -> Test:
    wanted = parse_type(raw)
    return lambda session: type_of(session) == wanted


def _by_address(raw: bytes) -> Test:
    return lambda session: session.address.encode("utf-8", "surrogateescape") == raw


def _by_local_address(raw: bytes) -> Test:
    return lambda session: session.local_address.encode("utf-8", "surrogateescape") == raw


def _by_user(c: Session, raw: bytes) -> Test:
    if not c.engine.services.access.knows(raw):
        raise CommandError(b"ERR No such user '%b'" % raw)
    return lambda session: session.user == raw


def _by_age(c: Session, raw: bytes) -> Test:
    seconds = parse_int(raw, "ERR maxage is not an integer or out of range")
    if seconds <= 0:
        raise CommandError("ERR maxage should be greater than 0")
    now_ms = c.engine.state.now_ms
    return lambda session: (now_ms - session.created_ms) // 1000 >= seconds


_KILL_OPTIONS: dict[bytes, Callable[[bytes], Test]] = {
    b"ID": _by_id,
    b"TYPE": _by_type,
    b"ADDR": _by_address,
    b"LADDR": _by_local_address,
}


def _end(c: Session, tests: list[Test], skip_me: bool) -> int:
    """End the connections that pass all tests; the caller's own only after its reply."""
    chosen = [
        session
        for session in list(c.engine.sessions.values())
        if not (skip_me and session is c) and all(test(session) for test in tests)
    ]
    for session in chosen:
        session.end(Reason.CLIENT_KILL)
    return len(chosen)


def pause(c: Session, a: list[bytes]) -> bytes:
    """CLIENT PAUSE milliseconds [WRITE|ALL]."""
    if len(a) > 4:
        raise CommandError(SYNTAX)
    mode = {b"WRITE": MODE_WRITE, b"ALL": MODE_ALL}.get(a[3].upper()) if len(a) == 4 else MODE_ALL
    if mode is None:
        raise CommandError("ERR CLIENT PAUSE mode must be WRITE or ALL")
    out_of_range = "ERR timeout is not an integer or out of range"
    timeout_ms = parse_int(a[2], out_of_range)
    if timeout_ms < 0:
        raise CommandError("ERR timeout is negative")
    now_ms = c.engine.state.now_ms
    if timeout_ms > INT64_MAX - now_ms:
        raise CommandError("ERR timeout is out of range")
    admin_of(c).pause.begin(c.engine, REASON, mode, now_ms + timeout_ms)
    return OK


def unpause(c: Session, a: list[bytes]) -> bytes:
    """CLIENT UNPAUSE."""
    admin_of(c).pause.end(c.engine, REASON)
    return OK


def unblock(c: Session, a: list[bytes]) -> bytes:
    """CLIENT UNBLOCK id [TIMEOUT|ERROR]."""
    if len(a) > 4:
        raise CommandError(
            b"ERR unknown subcommand or wrong number of arguments for '%b'. Try CLIENT HELP." % shown(a[1][:128])
        )
    reason = a[3].upper() if len(a) == 4 else b"TIMEOUT"
    if reason not in (b"TIMEOUT", b"ERROR"):
        raise CommandError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    if not is_int(a[2]):
        raise CommandError("ERR value is not an integer or out of range")
    session = c.engine.sessions.get(int(a[2]))
    wait = session.blocked if session is not None else None
    if session is None or wait is None or wait.kind in _NOT_UNBLOCKABLE:
        return ZERO
    if reason == b"ERROR":
        reply = error("UNBLOCKED client unblocked via CLIENT UNBLOCK")
        c.engine.count_error(reply)
        wait.row.failed += 1
    else:
        reply = wait.on_timeout(session)
    blocking.unblock(c.engine, session, reply)
    return ONE


HANDLERS = {
    "CLIENT|KILL": kill,
    "CLIENT|PAUSE": pause,
    "CLIENT|UNPAUSE": unpause,
    "CLIENT|UNBLOCK": unblock,
}
