"""EVAL and its kin, SCRIPT *, FUNCTION *, FCALL (https://redis.io/docs/latest/commands/?group=scripting)."""

from __future__ import annotations

import cython

from kvserver.engine.run.session import Session
from kvserver.errors import CommandError, shown as text_of
from kvserver.scripting.debugger.commands import debug, script_debug
from kvserver.scripting.help import FUNCTION_HELP, SCRIPT_HELP
from kvserver.scripting.host import Host, Script
from kvserver.scripting.libraries import Library
from kvserver.scripting.running import GO_ON, KILLED_FUNCTION, KILLED_SCRIPT
from kvserver.scripting.shebang import flag_names
from kvserver.wire.glob import matcher
from kvserver.wire.resp import OK, array, array_header, bulk, bulks, integer, map_header, null, set_header, simple

if cython.compiled:
    from cython.cimports.kvserver.scripting.host import host_of, key_count  # type: ignore
else:
    from kvserver.scripting.host import host_of, key_count

SHA_LENGTH = 40
_NOSCRIPT = "NOSCRIPT No matching script. Please use EVAL."
_NOTBUSY = "NOTBUSY No scripts in execution right now."
_UNKILLABLE = (
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the "
    "script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
)
BUSY_SCRIPT = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
BUSY_FUNCTION = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."


# -- EVAL -------------------------------------------------------------------------------------------------------


def _eval(c: Session, a: list[bytes], read_only: bool) -> bytes:
    host = host_of(c)
    if host.debug_modes and c.id in host.debug_modes:
        return debug(host, c, a[1], lambda: _run(host, c, host.script(a[1]), key_count(a), read_only))
    keys = key_count(a)
    return _run(host, c, host.script(a[1]), keys, read_only)


def _evalsha(c: Session, a: list[bytes], read_only: bool) -> bytes:
    host = host_of(c)
    if host.debug_modes and c.id in host.debug_modes:
        raise CommandError("ERR Please use EVAL instead of EVALSHA for debugging")
    if len(a[1]) != SHA_LENGTH:
        raise CommandError(_NOSCRIPT)
    keys = key_count(a)
    script = host.scripts.get(a[1]) or host.scripts.get(a[1].lower())
    if script is None:
        raise CommandError(_NOSCRIPT)
    return _run(host, c, script, keys, read_only)


def _run(host: Host, c: Session, script: Script, keys: int, read_only: bool) -> bytes:
    return host.run(c, script.fn, keys, script.sha, script.flags, read_only, False)


def eval_(c: Session, a: list[bytes]) -> bytes:
    """Run a script given by its source."""
    return _eval(c, a, False)


def eval_ro(c: Session, a: list[bytes]) -> bytes:
    """Run a script that may not write."""
    return _eval(c, a, True)


def evalsha(c: Session, a: list[bytes]) -> bytes:
    """Run a script given by its digest."""
    return _evalsha(c, a, False)


def evalsha_ro(c: Session, a: list[bytes]) -> bytes:
    """Run a script that may not write, given by its digest."""
    return _evalsha(c, a, True)


# -- SCRIPT -----------------------------------------------------------------------------------------------------


def script_load(c: Session, a: list[bytes]) -> bytes:
    """Compile a script and keep it."""
    script = host_of(c).script(a[2])
    script.loaded = True
    return bulk(script.sha)


def script_exists(c: Session, a: list[bytes]) -> bytes:
    """Say which scripts are known."""
    scripts = host_of(c).scripts
    return array([integer(1 if sha.lower() in scripts else 0) for sha in a[2:]])


def script_flush(c: Session, a: list[bytes]) -> bytes:
    """Forget all scripts."""
    if len(a) > 3 or (len(a) == 3 and a[2].upper() not in (b"SYNC", b"ASYNC")):
        raise CommandError("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
    host_of(c).flush_scripts()
    return OK


def script_kill(c: Session, a: list[bytes]) -> bytes:
    """End the script that is slow, unless it has written."""
    return _kill(c, False)


def _kill(c: Session, is_function: bool) -> bytes:
    running = host_of(c).api.running
    if running is None or not running.slow:
        raise CommandError(_NOTBUSY)
    if running.is_function != is_function:
        raise CommandError(BUSY_FUNCTION if running.is_function else BUSY_SCRIPT)
    if running.wrote:
        raise CommandError(_UNKILLABLE)
    if running.stop == GO_ON:
        running.stop = KILLED_FUNCTION if is_function else KILLED_SCRIPT
    return OK


# -- FUNCTION ---------------------------------------------------------------------------------------------------


def _fcall(c: Session, a: list[bytes], read_only: bool) -> bytes:
    host = host_of(c)
    function = host.libraries.functions.get(a[1]) or host.libraries.functions.get(a[1].lower())
    if function is None:
        raise CommandError("ERR Function not found")
    try:
        keys = key_count(a)
    except CommandError as failure:
        if failure.text == "ERR value is not an integer or out of range":
            raise CommandError("ERR Bad number of keys provided")
        raise
    return host.run(c, function.fn, keys, function.name, function.flags, read_only, True)


def fcall(c: Session, a: list[bytes]) -> bytes:
    """Call a function."""
    return _fcall(c, a, False)


def fcall_ro(c: Session, a: list[bytes]) -> bytes:
    """Call a function that doesn't write."""
    return _fcall(c, a, True)


def function_load(c: Session, a: list[bytes]) -> bytes:
    """Load a library."""
    for option in a[2:-1]:
        if option.upper() != b"REPLACE":
            raise CommandError(b"ERR Unknown option given: " + text_of(option))
    name = host_of(c).libraries.load(a[-1], len(a) > 3)
    c.engine.state.dirty += 1
    return bulk(name)


def function_delete(c: Session, a: list[bytes]) -> bytes:
    """Forget a library."""
    if not host_of(c).libraries.delete(a[2]):
        raise CommandError("ERR Library not found")
    c.engine.state.dirty += 1
    return OK


def function_flush(c: Session, a: list[bytes]) -> bytes:
    """Forget all libraries."""
    if len(a) > 3:
        raise CommandError(
            b"ERR unknown subcommand or wrong number of arguments for '%b'. Try FUNCTION HELP." % a[1][:128]
        )
    if len(a) == 3 and a[2].upper() not in (b"SYNC", b"ASYNC"):
        raise CommandError("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    host_of(c).libraries.clear()
    c.engine.state.dirty += 1
    return OK


def function_list(c: Session, a: list[bytes]) -> bytes:
    """Describe the libraries."""
    pattern: bytes | None = None
    with_code = False
    i = 2
    while i < len(a):
        word = a[i].upper()
        if word == b"WITHCODE" and not with_code:
            with_code = True
        elif word == b"LIBRARYNAME" and pattern is None:
            i += 1
            if i >= len(a):
                raise CommandError("ERR library name argument was not given")
            pattern = a[i]
        else:
            raise CommandError(b"ERR Unknown argument " + text_of(a[i]))
        i += 1
    libraries = host_of(c).libraries.by_name.values()
    matches = matcher(b"*" if pattern is None else pattern, True)
    shown = [_library(each, c.resp, with_code) for each in libraries if matches(each.name)]
    return array(shown)


def _library(library: Library, proto: int, with_code: bool) -> bytes:
    functions = []
    for function in library.functions:
        flags = flag_names(function.flags)
        functions.append(
            map_header(3, proto)
            + bulk(b"name")
            + bulk(function.name)
            + bulk(b"description")
            + (null(proto) if function.description is None else bulk(function.description))
            + bulk(b"flags")
            + set_header(len(flags), proto)
            + b"".join(map(simple, flags))
        )
    head = map_header(4 if with_code else 3, proto) + bulks([b"library_name", library.name, b"engine", b"LUA"])[4:]
    code = bulk(b"library_code") + bulk(library.code) if with_code else b""
    return head + bulk(b"functions") + array(functions) + code


def function_stats(c: Session, a: list[bytes]) -> bytes:
    """Describe the function that runs, and the engines."""
    host = host_of(c)
    proto = c.resp
    out = [map_header(2, proto), bulk(b"running_script")]
    running = host.api.running
    if running is None:
        out.append(null(proto))
    else:
        out += [map_header(3, proto), bulk(b"name"), bulk(running.name), bulk(b"command"), bulks(running.args)]
        out += [bulk(b"duration_ms"), integer(int((host.clock() - running.started_s) * 1000))]
    out += [bulk(b"engines"), map_header(1, proto), bulk(b"LUA"), map_header(2, proto)]
    out += [bulk(b"libraries_count"), integer(len(host.libraries.by_name))]
    out += [bulk(b"functions_count"), integer(len(host.libraries.functions))]
    return b"".join(out)


def function_kill(c: Session, a: list[bytes]) -> bytes:
    """End the function that is slow, unless it has written."""
    return _kill(c, True)


def _help(lines: list[str]) -> bytes:
    return array_header(len(lines)) + b"".join(map(simple, lines))


def script_help(c: Session, a: list[bytes]) -> bytes:
    """List the subcommands."""
    return _help(SCRIPT_HELP)


def function_help(c: Session, a: list[bytes]) -> bytes:
    """List the subcommands."""
    return _help(FUNCTION_HELP)


HANDLERS = {
    "EVAL": eval_,
    "EVAL_RO": eval_ro,
    "EVALSHA": evalsha,
    "EVALSHA_RO": evalsha_ro,
    "SCRIPT|LOAD": script_load,
    "SCRIPT|EXISTS": script_exists,
    "SCRIPT|FLUSH": script_flush,
    "SCRIPT|KILL": script_kill,
    "SCRIPT|DEBUG": script_debug,
    "SCRIPT|HELP": script_help,
    "FCALL": fcall,
    "FCALL_RO": fcall_ro,
    "FUNCTION|LOAD": function_load,
    "FUNCTION|DELETE": function_delete,
    "FUNCTION|FLUSH": function_flush,
    "FUNCTION|LIST": function_list,
    "FUNCTION|STATS": function_stats,
    "FUNCTION|KILL": function_kill,
    "FUNCTION|HELP": function_help,
}
