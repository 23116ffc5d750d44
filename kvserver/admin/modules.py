"""MODULE: no module is ever loaded, since those are shared objects which call into Redis itself."""

from __future__ import annotations

from kvserver.admin.config import allowed
from kvserver.admin.context import Admin, admin_of
from kvserver.config.quoting import decode
from kvserver.doors.kinds import Disk
from kvserver.engine.run.session import Session
from kvserver.errors import CommandError
from kvserver.wire.resp import EMPTY_ARRAY, array, simple

_NOT_ALLOWED = (
    'ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a '
    "local connection, otherwise you need to set this option in the configuration file, and then restart the server."
)
_NOT_LOADED = "ERR Error loading the extension. Please check the server logs."
HELP = (
    "MODULE <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "LIST",
    "    Reply the modules that are loaded: none.",
    "LOAD <path> [<arg> ...]",
    "    Fail, and say the reason in the log.",
    "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
    "    Fail, and say the reason in the log.",
    "UNLOAD <name>",
    "    Fail: there is no module of that name.",
    "HELP",
    "    Print this help.",
)


def _guarded(c: Session) -> Admin:
    admin = admin_of(c)
    if not allowed(admin.config.enable_module_command, c.address):
        raise CommandError(_NOT_ALLOWED)
    return admin


def list_(c: Session, a: list[bytes]) -> bytes:
    """MODULE LIST."""
    return EMPTY_ARRAY


def load(c: Session, a: list[bytes]) -> bytes:
    """MODULE LOAD path [argument …] and MODULE LOADEX path [CONFIG name value …] [ARGS argument …]."""
    path = decode(a[2])
    found = _exists(c.engine.services.doors.disk, path)
    reason = "modules written for Redis can't be loaded" if found else "there is no such file"
    _guarded(c).node.log.warning("module failed to load", path=path, reason=reason)
    raise CommandError(_NOT_LOADED)


def _exists(disk: Disk, path: str) -> bool:
    """Whether there is such a file; a path that no system could have (too long, a NUL in it) is none."""
    try:
        return disk.path(path).exists()
    except (OSError, ValueError):
        return False


def unload(c: Session, a: list[bytes]) -> bytes:
    """MODULE UNLOAD name."""
    _guarded(c)
    raise CommandError("ERR Error unloading module: no such module with that name")


def help_(c: Session, a: list[bytes]) -> bytes:
    """MODULE HELP."""
    return array([simple(text) for text in HELP])


HANDLERS = {
    "MODULE|HELP": help_,
    "MODULE|LIST": list_,
    "MODULE|LOAD": load,
    "MODULE|LOADEX": load,
    "MODULE|UNLOAD": unload,
}
