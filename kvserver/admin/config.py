"""CONFIG GET, SET, REWRITE, RESETSTAT."""

from __future__ import annotations

from kvserver.admin.context import admin_of
from kvserver.admin.info.command_sections import all_rows
from kvserver.client.reasons import none_yet
from kvserver.config import ConfigError, rewrite
from kvserver.config.quoting import decode, encode
from kvserver.engine.run.gates import is_loading
from kvserver.engine.run.session import Session
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.resp import OK, array, bulk, map_header, simple

HELP = (
    "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET <pattern> [<pattern> ...]",
    "    Reply the options whose names match, and their values.",
    "SET <option> <value> [<option> <value> ...]",
    "    Change options, all of them or, when one can't be, none.",
    "RESETSTAT",
    "    Set the counters of INFO back to zero.",
    "REWRITE",
    "    Write the options in force to the configuration file.",
    "HELP",
    "    Print this help.",
)
_NOT_WHILE_LOADING = ("appendonly", "dir", "repl-diskless-load")
LOADING = "LOADING Redis is loading the dataset in memory"


def is_local(address: str) -> bool:
    """Whether a client's address is a unix socket or loopback."""
    return address.startswith(("/", "127.", "[::1]:", "[::ffff:127.")) or not address


def allowed(setting: str, address: str) -> bool:
    """What enable-debug-command and its like say about a client: yes, no, or local ones only."""
    return setting == "yes" or (setting == "local" and is_local(address))


def get(c: Session, a: list[bytes]) -> bytes:
    """CONFIG GET pattern ..."""
    found = admin_of(c).config.get([decode(raw) for raw in a[2:]])
    return map_header(len(found), c.resp) + b"".join(bulk(encode(name)) + bulk(encode(value)) for name, value in found)


def set_(c: Session, a: list[bytes]) -> bytes:
    """CONFIG SET option value ..."""
    if len(a) % 2:
        raise CommandError(SYNTAX)
    config = admin_of(c).config
    loading = is_loading(c.engine)
    if loading and any(decode(name).lower() in _NOT_WHILE_LOADING for name in a[2::2]):
        raise CommandError(LOADING)
    pairs = [(decode(name), decode(value)) for name, value in zip(a[2::2], a[3::2], strict=True)]
    try:
        config.set(pairs, protected_allowed=allowed(config.enable_protected_configs, c.address))
    except ConfigError as error:
        raise CommandError(str(error)) from None
    return OK


def rewrite_(c: Session, a: list[bytes]) -> bytes:
    """CONFIG REWRITE."""
    return rewrite_file(c, everything=False)


def rewrite_file(c: Session, *, everything: bool) -> bytes:
    """Write the options in force to the configuration file; all, or those the file needs."""
    admin = admin_of(c)
    if not admin.node.config_file:
        raise CommandError("ERR The server is running without a config file")
    disk = c.engine.services.doors.disk
    path = disk.path(admin.node.config_file)
    try:
        old = path.read_bytes() if path.exists() else b""
        users = c.engine.services.access.configuration_lines()
        text = rewrite(admin.config, decode(old), users=users, everything=everything)
        disk.replace(path, encode(text))
    except OSError as error:
        raise CommandError(f"ERR Rewriting config file: {error.strerror or error}") from None
    return OK


def resetstat(c: Session, a: list[bytes]) -> bytes:
    """CONFIG RESETSTAT."""
    admin = admin_of(c)
    engine, server = c.engine, admin.node.server
    admin.node.housekeeper.cycle.reset_stats()
    admin.evictor.reset_stats()
    for row in all_rows(engine):
        row.reset_stats()
    engine.errors.clear()
    engine.commands = engine.unexpected_errors = 0
    state = engine.state
    state.freed_in_slices = 0
    state.hits = state.misses = state.expired_keys = state.expired_fields = state.evicted_keys = 0
    server.accepted = server.rejected = server.reads = server.writes = 0
    server.net_in = server.net_out = server.net_repl_in = server.net_repl_out = 0
    server.ended.update(none_yet())
    admin.rates.reset()
    admin.process.peak_bytes = admin.process.used_bytes()
    engine.services.signals.stats_reset.emit()
    return OK


def help_(c: Session, a: list[bytes]) -> bytes:
    """CONFIG HELP."""
    return array([simple(line) for line in HELP])


HANDLERS = {
    "CONFIG|GET": get,
    "CONFIG|HELP": help_,
    "CONFIG|RESETSTAT": resetstat,
    "CONFIG|REWRITE": rewrite_,
    "CONFIG|SET": set_,
}
