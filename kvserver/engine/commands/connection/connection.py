"""Connection commands: AUTH, HELLO, SELECT, PING, ECHO, QUIT, RESET."""

from __future__ import annotations

from kvserver.client.reasons import Reason
from kvserver.config import REDIS_VERSION
from kvserver.engine.commands.keys.keys import db_index
from kvserver.engine.events import pubsub
from kvserver.engine.run.session import ATT_REPLY, ATT_UNAUTHENTICATED, REPLY_ON, Session
from kvserver.engine.run.watching import discard_queue
from kvserver.errors import CommandError, wrong_arity
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import OK, PONG, array_header, bulk, bulks, error, integer, map_header, simple

WRONGPASS = "WRONGPASS invalid username-password pair or user is disabled."
_NO_PASSWORD = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)


def authenticate(c: Session, user: bytes, password: bytes) -> None:
    """Let a client in.

    Raises:
        CommandError: the name or the password is wrong.
    """
    if not c.engine.services.access.authenticate(c, user, password):
        raise CommandError(WRONGPASS)


def auth(c: Session, a: list[bytes]) -> bytes:
    """AUTH [username] password."""
    if len(a) > 3:
        return error("ERR syntax error")
    if len(a) == 2 and not c.engine.services.access.has_password():
        raise CommandError(_NO_PASSWORD)
    authenticate(c, a[1] if len(a) == 3 else b"default", a[-1])
    return OK


def hello(c: Session, a: list[bytes]) -> bytes:
    """HELLO [protover [AUTH user password] [SETNAME name]]."""
    proto = c.resp
    name = None
    credentials = None
    if len(a) > 1:
        text = "ERR Protocol version is not an integer or out of range"
        proto = parse_int(a[1], text)
        if proto not in (2, 3):
            raise CommandError("NOPROTO unsupported protocol version")
    i = 2
    while i < len(a):
        option = a[i].upper()
        if option == b"AUTH" and i + 2 < len(a):
            credentials = a[i + 1], a[i + 2]
            i += 3
        elif option == b"SETNAME" and i + 1 < len(a):
            name = a[i + 1]
            check_name(name)
            i += 2
        else:
            raise CommandError(b"ERR Syntax error in HELLO option '%b'" % a[i])
    if credentials is not None:
        authenticate(c, *credentials)
    if c.attention & ATT_UNAUTHENTICATED:
        raise CommandError(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the "
            "HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
            "RESP protocol version at the same time"
        )
    if name is not None:
        c.name = name
    c.resp = proto
    pubsub.refresh_attention(c)
    return _greeting(c)


def _greeting(c: Session) -> bytes:
    services = c.engine.services
    pairs = [
        (b"server", bulk(b"redis")),
        (b"version", bulk(REDIS_VERSION.encode())),
        (b"proto", integer(c.resp)),
        (b"id", integer(c.id)),
        (b"mode", bulk(services.mode)),
        (b"role", bulk(b"replica" if services.replication.is_replica else b"master")),
        (b"modules", array_header(0)),
    ]
    if services.mode == b"sentinel":
        pairs = [pair for pair in pairs if pair[0] != b"role"]
    return map_header(len(pairs), c.resp) + b"".join(bulk(k) + v for k, v in pairs)


def check_name(name: bytes) -> None:
    """Refuse a client name with spaces, line breaks or other special characters."""
    if any(not 33 <= byte <= 126 for byte in name):
        raise CommandError("ERR Client names cannot contain spaces, newlines or special characters.")


def select(c: Session, a: list[bytes]) -> bytes:
    """SELECT index."""
    text = "ERR DB index is out of range"
    parse_int(a[1], "ERR value is not an integer or out of range")
    c.db = c.engine.dbs[db_index(c, a[1], text)]
    return OK


def ping(c: Session, a: list[bytes]) -> bytes:
    """PING [message]."""
    if len(a) > 2:
        raise wrong_arity("ping")
    if c.resp == 2 and c.subscriptions() + len(c.shard_channels):
        return bulks([b"pong", a[1] if len(a) == 2 else b""])
    return bulk(a[1]) if len(a) == 2 else PONG


def echo(c: Session, a: list[bytes]) -> bytes:
    """ECHO message."""
    return bulk(a[1])


def quit_(c: Session, a: list[bytes]) -> bytes:
    """QUIT."""
    c.end(Reason.QUIT)
    return OK


def reset(c: Session, a: list[bytes]) -> bytes:
    """RESET: back to the state of a new connection."""
    discard_queue(c)
    pubsub.unsubscribe_all(c)
    c.engine.services.signals.session_reset.emit(c)
    c.db = c.engine.dbs[0]
    c.resp = 2
    c.name = b""
    c.user = b"default"
    c.reply_mode = REPLY_ON
    c.no_evict = c.no_touch = False
    c.attend(ATT_REPLY, False)
    c.engine.services.access.enter_default(c)
    return simple("RESET")


HANDLERS = {
    "AUTH": auth,
    "ECHO": echo,
    "HELLO": hello,
    "PING": ping,
    "QUIT": quit_,
    "RESET": reset,
    "SELECT": select,
}
