"""DEBUG's subcommands as a table, and the ones that steer the server.

DEBUG is one command in the command table; its subcommands have rows here: fewest and most arguments, handler.
Those that concern persistence or replication come from these packages, as `Contributions.debug`.
"""

from __future__ import annotations

from kvserver.admin.config import allowed, rewrite_file
from kvserver.admin.context import admin_of
from kvserver.admin.debug import digest, replies, shapes
from kvserver.config.kinds import parse_memory
from kvserver.config.quoting import decode
from kvserver.engine.command_table.row import Handler
from kvserver.engine.run.session import Session
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import parse_float, parse_int
from kvserver.wire.resp import OK, array, error, simple

MAX_PLAIN_NODE = 4 << 30
NOT_ALLOWED = (
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a '
    "local connection, otherwise you need to set this option in the configuration file, and then restart the "
    "server."
)
HELP = (
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "AOF-FLUSH-SLEEP <microseconds>",
    "    Have each write to the append-only file take so much longer.",
    "CHANGE-REPL-ID",
    "    Begin a new replication history.",
    "CONFIG-REWRITE-FORCE-ALL",
    "    Write every option to the configuration file, defaults too.",
    "DIGEST",
    "    Reply a fingerprint of all data.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Reply a fingerprint of the value of each key.",
    "ERROR <text>",
    "    Reply an error with this text.",
    "HTSTATS <database>",
    "    Describe the tables of a database.",
    "HTSTATS-KEY <key>",
    "    Describe the table of a value.",
    "LISTPACK <key>",
    "    Write a packed value to the log.",
    "LOADAOF",
    "    Load the append-only file again.",
    "LOG <text>",
    "    Write a line to the log.",
    "OBJECT <key>",
    "    Describe a value.",
    "PANIC, SEGFAULT, ASSERT, OOM",
    "    Crash.",
    "PAUSE-CRON <0|1>",
    "    Stop or resume the background expiry of keys, and the beginning of shutdowns.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Create string keys <prefix>:<number>; they are not replicated.",
    "PROTOCOL <type>",
    "    Reply a sample of a type: string, integer, double, bignum, null, array, set, map, attrib, push,",
    "    verbatim, true, false.",
    "QUICKLIST <key> [<0|1>]",
    "    Write the nodes of a list to the log.",
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "    Accepted: elements of any size are held alike here.",
    "RELOAD [MERGE|NOFLUSH|NOSAVE ...]",
    "    Save the data and load them again.",
    "REPLICATE <argument> [<argument> ...]",
    "    Send a command to the replicas only.",
    "REPLYBUFFER PEAK-RESET-TIME (NEVER|RESET|<milliseconds>), REPLYBUFFER RESIZING <0|1>",
    "    Accepted: replies are not kept in a buffer of each client here.",
    "SDSLEN <key>",
    "    Describe a string value.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Stop or resume the background expiry of keys.",
    "SLEEP <seconds>",
    "    Let the whole server stand still.",
    "STRINGMATCH-LEN <pattern> <text>",
    "    Reply whether a glob pattern matches a text.",
    "HELP",
    "    Print this help.",
)


def sleep(c: Session, a: list[bytes]) -> bytes:
    """DEBUG SLEEP seconds."""
    admin_of(c).process.sleep(max(0.0, parse_float(a[2])))
    return OK


def set_active_expire(c: Session, a: list[bytes]) -> bytes:
    """DEBUG SET-ACTIVE-EXPIRE 0|1."""
    admin_of(c).node.housekeeper.active_expire = parse_int(a[2]) != 0
    return OK


def pause_cron(c: Session, a: list[bytes]) -> bytes:
    """DEBUG PAUSE-CRON 0|1."""
    running = parse_int(a[2]) == 0
    admin_of(c).node.housekeeper.active_expire = running
    cron_runs = admin_of(c).shutdown.cron_runs
    if running:
        cron_runs.set()
    else:
        cron_runs.clear()
    return OK


def rewrite_all(c: Session, a: list[bytes]) -> bytes:
    """DEBUG CONFIG-REWRITE-FORCE-ALL."""
    return rewrite_file(c, everything=True)


def error_(c: Session, a: list[bytes]) -> bytes:
    """DEBUG ERROR text."""
    return error(a[2])


def digest_(c: Session, a: list[bytes]) -> bytes:
    """DEBUG DIGEST."""
    return simple(digest.hexadecimal(digest.of_databases(c.engine.dbs)))


def digest_value(c: Session, a: list[bytes]) -> bytes:
    """DEBUG DIGEST-VALUE [key ...]."""
    return array([simple(digest.hexadecimal(digest.of_key(c.db, key))) for key in a[2:]])


def log(c: Session, a: list[bytes]) -> bytes:
    """DEBUG LOG text."""
    admin_of(c).node.log.warning(f"DEBUG LOG: {decode(a[2])}")
    return OK


def populate(c: Session, a: list[bytes]) -> bytes:
    """DEBUG POPULATE count [prefix] [size]."""
    text = "ERR value is out of range, must be positive"
    count = parse_int(a[2])
    size = parse_int(a[4]) if len(a) > 4 else 0
    if count < 0 or size < 0:
        raise CommandError(text)
    prefix = a[3] if len(a) > 3 else b"key"
    for number in range(count):
        key = b"%b:%d" % (prefix, number)
        if c.db.lookup_write(key) is None:
            value = b"value:%d" % number
            c.db.put(key, value[:size].ljust(size, b"\0") if size else value)
    return OK


def packed_threshold(c: Session, a: list[bytes]) -> bytes:
    """DEBUG QUICKLIST-PACKED-THRESHOLD size."""
    size = parse_memory(decode(a[2]))
    if size is None or size > MAX_PLAIN_NODE:
        raise CommandError("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
    return OK


def replybuffer(c: Session, a: list[bytes]) -> bytes:
    """DEBUG REPLYBUFFER PEAK-RESET-TIME NEVER|RESET|milliseconds, or RESIZING 0|1."""
    option = a[2].upper()
    if option == b"PEAK-RESET-TIME":
        if a[3].upper() not in (b"NEVER", b"RESET"):
            parse_int(a[3])
    elif option == b"RESIZING":
        parse_int(a[3])
    else:
        raise CommandError(SYNTAX)
    return OK


def stringmatch(c: Session, a: list[bytes]) -> bytes:
    """DEBUG STRINGMATCH-LEN pattern text."""
    from kvserver.wire.glob import matcher

    return simple("1" if matcher(a[2])(a[3]) else "0")


def crash(c: Session, a: list[bytes]) -> bytes:
    """DEBUG PANIC and its like."""
    admin_of(c).node.crash(decode(a[1]).upper())
    return OK


def help_(c: Session, a: list[bytes]) -> bytes:
    """DEBUG HELP."""
    return array([simple(line) for line in HELP])


MANY = 1 << 30
SUBCOMMANDS: dict[bytes, tuple[int, int, Handler]] = {
    b"ASSERT": (0, 0, crash),
    b"CONFIG-REWRITE-FORCE-ALL": (0, 0, rewrite_all),
    b"DIGEST": (0, 0, digest_),
    b"DIGEST-VALUE": (0, MANY, digest_value),
    b"ERROR": (1, 1, error_),
    b"HELP": (0, 0, help_),
    b"HTSTATS": (1, 1, shapes.htstats),
    b"HTSTATS-KEY": (1, 1, shapes.htstats_key),
    b"LISTPACK": (1, 1, shapes.listpack),
    b"LOG": (1, 1, log),
    b"OBJECT": (1, 2, shapes.object_),
    b"OOM": (0, 0, crash),
    b"PANIC": (0, 0, crash),
    b"PAUSE-CRON": (1, 1, pause_cron),
    b"POPULATE": (1, 3, populate),
    b"PROTOCOL": (1, 1, replies.protocol),
    b"QUICKLIST": (1, 2, shapes.quicklist),
    b"QUICKLIST-PACKED-THRESHOLD": (1, 1, packed_threshold),
    b"REPLYBUFFER": (2, 2, replybuffer),
    b"SDSLEN": (1, 1, shapes.sdslen),
    b"SEGFAULT": (0, 0, crash),
    b"SET-ACTIVE-EXPIRE": (1, 1, set_active_expire),
    b"SLEEP": (1, 1, sleep),
    b"STRINGMATCH-LEN": (2, 2, stringmatch),
}


def debug(c: Session, a: list[bytes]) -> bytes | None:
    """DEBUG subcommand ..."""
    admin = admin_of(c)
    if not allowed(admin.config.enable_debug_command, c.address):
        raise CommandError(NOT_ALLOWED)
    name = a[1].upper()
    elsewhere = admin.node.services.contributions.debug.get(name)
    if elsewhere is not None:
        return elsewhere(c, a)
    fewest, most, handler = SUBCOMMANDS.get(name, (1, 0, help_))
    if not fewest <= len(a) - 2 <= most:
        shown = decode(a[1][:128])
        raise CommandError(f"ERR unknown subcommand or wrong number of arguments for '{shown}'. Try DEBUG HELP.")
    return handler(c, a)


HANDLERS = {"DEBUG": debug}
