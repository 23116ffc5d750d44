"""CLIENT subcommands about the connection that sends them."""

from __future__ import annotations

from kvserver.admin.context import admin_of
from kvserver.engine.commands.connection.connection import check_name
from kvserver.engine.run.session import (
    ATT_REPLY,
    REPLY_OFF,
    REPLY_ON,
    REPLY_SKIP_NEXT,
    Session,
)
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.resp import (
    OK,
    array,
    bulk,
    integer,
    null,
    simple,
)

HELP = (
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CACHING (YES|NO)",
    "    Say whether the keys of the next command are tracked.",
    "GETNAME",
    "    Reply the name of this connection.",
    "GETREDIR",
    "    Reply the id of the client that invalidations are sent to.",
    "ID",
    "    Reply the id of this connection.",
    "INFO",
    "    Describe this connection.",
    "KILL <ip:port>",
    "    End the connection from an address.",
    "KILL <option> <value> [<option> <value> ...]",
    "    End the connections that fit all options:",
    "    * ADDR <ip:port>, LADDR <ip:port>: the remote, the local address",
    "    * ID <client-id>, USER <name>",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "    * MAXAGE <seconds>: connected for at least so long",
    "    * SKIPME (YES|NO): spare this connection (default: yes)",
    "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB) | ID <client-id> ...]",
    "    Describe connections.",
    "NO-EVICT (ON|OFF)",
    "    Spare this connection when clients' buffers are too large together.",
    "NO-TOUCH (ON|OFF)",
    "    Don't count this connection's commands as use of their keys.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Hold back clients, or only what writes, for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Say whether this connection wants replies.",
    "SETINFO <option> <value>",
    "    Tell the client's library: LIB-NAME its name, LIB-VER its version.",
    "SETNAME <name>",
    "    Name this connection.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Begin or end client-side caching.",
    "TRACKINGINFO",
    "    Describe the client-side caching of this connection.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    End the waiting of a blocked client.",
    "UNPAUSE",
    "    End what PAUSE began.",
    "HELP",
    "    Print this help.",
)


def id_(c: Session, a: list[bytes]) -> bytes:
    """CLIENT ID."""
    return integer(c.id)


def getname(c: Session, a: list[bytes]) -> bytes:
    """CLIENT GETNAME."""
    return bulk(c.name) if c.name else null(c.resp)


def setname(c: Session, a: list[bytes]) -> bytes:
    """CLIENT SETNAME name; the empty name is none."""
    check_name(a[2])
    c.name = a[2]
    return OK


def reply(c: Session, a: list[bytes]) -> bytes | None:
    """CLIENT REPLY ON|OFF|SKIP: only ON is answered."""
    mode = a[2].upper()
    if mode == b"ON":
        c.reply_mode = REPLY_ON
        c.attend(ATT_REPLY, False)
        return OK
    if mode == b"OFF":
        c.reply_mode = REPLY_OFF
    elif mode != b"SKIP":
        raise CommandError(SYNTAX)
    elif c.reply_mode != REPLY_OFF:
        c.reply_mode = REPLY_SKIP_NEXT
    c.attend(ATT_REPLY, True)
    return b""


def no_evict(c: Session, a: list[bytes]) -> bytes:
    """CLIENT NO-EVICT ON|OFF."""
    c.no_evict = _on_or_off(a[2])
    return OK


def no_touch(c: Session, a: list[bytes]) -> bytes:
    """CLIENT NO-TOUCH ON|OFF."""
    c.no_touch = _on_or_off(a[2])
    if c.no_touch:
        admin_of(c).evictor.heed_no_touch()
    return OK


def setinfo(c: Session, a: list[bytes]) -> bytes:
    """CLIENT SETINFO LIB-NAME|LIB-VER value; the empty text is none."""
    option = a[2].upper()
    if option not in (b"LIB-NAME", b"LIB-VER"):
        raise CommandError(b"ERR Unrecognized option '%b'" % a[2])
    if not all(33 <= byte <= 126 for byte in a[3]):
        raise CommandError(b"ERR %b cannot contain spaces, newlines or special characters." % a[2])
    if option == b"LIB-NAME":
        c.lib_name = a[3]
    else:
        c.lib_ver = a[3]
    return OK


def help_(c: Session, a: list[bytes]) -> bytes:
    """CLIENT HELP."""
    return array([simple(text) for text in HELP])


def _on_or_off(raw: bytes) -> bool:
    word = raw.upper()
    if word not in (b"ON", b"OFF"):
        raise CommandError(SYNTAX)
    return word == b"ON"


HANDLERS = {
    "CLIENT|GETNAME": getname,
    "CLIENT|HELP": help_,
    "CLIENT|ID": id_,
    "CLIENT|NO-EVICT": no_evict,
    "CLIENT|NO-TOUCH": no_touch,
    "CLIENT|REPLY": reply,
    "CLIENT|SETINFO": setinfo,
    "CLIENT|SETNAME": setname,
}
