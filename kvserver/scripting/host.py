"""Runs scripts and functions: the scripts' cache, the libraries, and the one way by which either is run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cython

from kvserver.config import REDIS_VERSION
from kvserver.engine.command_table.row import DENYOOM, NOT_STALE, WRITE, Row
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import ATT_INTERNAL, DECLARED, Session
from kvserver.errors import CommandError
from kvserver.scripting import native
from kvserver.scripting.api import Api, digest
from kvserver.scripting.debugger.debugger import Debugger
from kvserver.scripting.libraries import Libraries
from kvserver.scripting.running import GO_ON, Running
from kvserver.scripting.runtime import Runtime, ScriptFailed
from kvserver.scripting.shebang import ALLOW_OOM, ALLOW_STALE, COMPAT, NO_WRITES, script_flags
from kvserver.wire.numbers import parse_int

if cython.compiled:
    from cython.cimports.kvserver.scripting.running import begun  # type: ignore
    from cython.cimports.kvserver.wire.resp import bulk, integer  # type: ignore
else:
    from kvserver.scripting.running import begun
    from kvserver.wire.resp import bulk, integer

CACHE_MAX = 10_000
"""Scripts kept; of more, those that EVAL brought and that were used least recently go."""
_VERSION_NUMBER = int.from_bytes(bytes(map(int, REDIS_VERSION.split("."))))  # a byte for each part: 0x07000f

# C's copies of constants, declared in the .pxd.
_compat = COMPAT
_stale = ALLOW_STALE
_harmless = NO_WRITES
_oom = ALLOW_OOM
_internal = ATT_INTERNAL
_declared = DECLARED
_OOM = b"-OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'\r\n"
_WRITES = Row("script", lambda c, a: b"", -1, WRITE, None)
_NEEDS_MEMORY = Row("script", lambda c, a: b"", -1, DENYOOM, None)
_NEEDS_DATA = Row("script", lambda c, a: b"", -1, NOT_STALE, None)


class Script:
    """A compiled script."""

    __slots__ = ("body", "flags", "fn", "loaded", "sha")

    def __init__(self, sha: bytes, body: bytes, fn: Any, flags: int) -> None:
        self.sha = sha
        self.body = body
        self.fn = fn
        self.flags = flags
        self.loaded = False  # by SCRIPT LOAD: stays until it is flushed


class Host:
    """The scripting engine of one node."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self.engine = engine
        self.clock = clock  # seconds, monotonic
        self.deprecated = False  # lua-enable-deprecated-api
        self.on_end: Callable[[Running], None] = _nothing  # told of what was slow
        self.scripts: dict[bytes, Script] = {}
        self._machine: Runtime | None = None
        self.api = Api(engine)
        self.libraries = Libraries(self._load)
        self.debugger = Debugger(self.api, clock)
        self.debug_modes: dict[int, bool] = {}  # session -> whether on the data itself, for those that debug
        self.open_channel: Callable[[Session], Any] = _no_channel
        self.promise: Callable[[Row, Sequence[bytes]], bool] = _promises_nothing

    def runtime(self) -> Runtime:
        """The Lua machine, made when it is first needed."""
        if self._machine is None:
            natives = self.api.natives()
            natives.update(self.debugger.natives())
            natives.update(native.table(lambda size: self._machine is None or self._machine.room(size)))
            natives[b"version"] = REDIS_VERSION.encode()
            natives[b"version_number"] = _VERSION_NUMBER
            natives[b"deprecated"] = self.deprecated
            self._machine = self.api.machine = Runtime(natives, self.api)
        return self._machine

    def used_bytes(self) -> int:
        """Memory that scripts and libraries hold in the Lua machine."""
        return 0 if self._machine is None else self._machine.scripts_bytes()

    # -- scripts ----------------------------------------------------------------------------------------------

    def script(self, body: bytes) -> Script:
        """Return the compiled form of a script.

        Raises:
            CommandError: it doesn't compile.
        """
        sha = digest(body)
        found = self.scripts.get(sha)
        if found is not None:
            return found
        source, flags = script_flags(body)
        try:
            fn = self.runtime().compile(source)
        except ScriptFailed as failure:
            raise CommandError(b"ERR Error compiling script (new function): " + failure.text)
        if len(self.scripts) >= CACHE_MAX:
            self._forget_one()
        script = self.scripts[sha] = Script(sha, body, fn, flags)
        return script

    def _forget_one(self) -> None:
        for sha, script in self.scripts.items():
            if not script.loaded:
                del self.scripts[sha]
                return

    def flush_scripts(self) -> None:
        """Forget all scripts, and with them the machine: libraries move to the new one."""
        self.scripts.clear()
        if self._machine is not None and not self.libraries.by_name:
            self._machine = self.api.machine = None

    # -- running ----------------------------------------------------------------------------------------------

    def run(self, c: Session, fn: Any, keys: int, name: bytes, flags: int, read_only: bool, is_function: bool) -> bytes:
        """Run a function for `c`, whose request has `keys` keys and then arguments; return the reply."""
        args = c.args
        refusal = self.refusal(c, flags, read_only)
        if refusal:
            return refusal
        engine = self.engine
        if self.api.running is not None:
            raise CommandError("ERR This Redis command is not allowed from script")
        started_ns = engine.last_ns
        row = c.row
        running = begun(c, name, is_function, args, self.clock(), flags, read_only or bool(flags & _harmless))
        self.api.begin(running)
        engine.depth += 1
        machine = self._machine or self.runtime()
        try:
            result = machine.run(fn, c.resp, keys, args[3:], is_function)
        finally:
            if running.slow:
                self.on_end(running)
            self.api.running = None
            engine.depth -= 1
            c.row, c.args = row, args
            if engine.state.logging and engine.depth == 0:
                engine.log_batch()  # also what was done before an error of ours
                c.write_offset = engine.log.offset
        if running.stop != GO_ON:
            machine.rearm()
        engine.last_ns = started_ns
        return self._reply(name, result)

    def _reply(self, name: bytes, result: Any) -> bytes:
        if type(result) is bytes:
            return bulk(result)
        if type(result) is int:
            return integer(result)
        if result[0]:
            reply = bytes(result[1])
            if len(result) > 2 and result[2]:
                self._uncount(reply)
            return reply
        text, position, counted = (*result[1:], None, None)[:3]
        if position is not None:
            text = b"%b script: %b, on %b." % (text, name, position)
        reply = b"-%b\r\n" % text.replace(b"\r", b" ").replace(b"\n", b" ")
        if counted:
            self._uncount(reply)
        return reply

    def _uncount(self, reply: bytes) -> None:
        """The command that failed inside has counted this error, and the executor will count it again."""
        code = reply[1 : reply.find(b" ") if b" " in reply else -2].decode("latin-1")
        if self.engine.errors.get(code, 0) > 0:
            self.engine.errors[code] -= 1

    def refusal(self, c: Session, flags: int, read_only: bool) -> bytes:
        """Why a script may not run at all, by its flags; b"" when it may."""
        if flags & _compat:
            return self._gate(c, _NEEDS_DATA)
        if not flags & _stale:
            refusal = self._gate(c, _NEEDS_DATA)
            if refusal:
                return refusal
        if not flags & _harmless:
            if read_only:
                raise CommandError("ERR Can not execute a script with write flag using *_ro command.")
            refusal = self._gate(c, _WRITES)
            if refusal:
                return refusal
            if not flags & _oom and self._gate(c, _NEEDS_MEMORY):
                return _OOM
        return b""

    def _gate(self, c: Session, row: Row) -> bytes:
        """Ask the gates about a script that declares, or needs, what one flag stands for."""
        engine = self.engine
        if not row.flags & engine.deny or c.attention & _internal:
            return b""
        return engine.ask(c, row, c.args, _declared) or b""

    # -- for other parts of the node --------------------------------------------------------------------------

    def sources(self) -> list[bytes]:
        """The source of each library."""
        return self.libraries.sources()

    def restore(self, codes: Sequence[bytes], policy: bytes = b"FLUSH") -> None:
        """Take over the libraries of a snapshot: in place of all that are there (FLUSH), APPEND or REPLACE."""
        self.libraries.restore(codes, policy)

    def promises_no_writes(self, row: Row, args: Sequence[bytes]) -> bool:
        """Whether a request runs a script that is marked as one that doesn't write."""
        return self.promise(row, args)

    # -- libraries --------------------------------------------------------------------------------------------

    def _load(self, source: bytes) -> list[tuple[bytes, Any, bytes | None, bytes]]:
        """Run a library's source, with a limit on its time."""
        if self.api.running is not None:
            raise CommandError("ERR This Redis command is not allowed from script")
        running = Running(self.api.session, b"", True, [], self.clock(), 0, True)
        running.deadline_s = self.clock() + LOAD_TIMEOUT_S
        self.api.running = running
        try:
            return self.runtime().load_library(source)
        except ScriptFailed as failure:
            raise CommandError(b"ERR " + failure.text)
        finally:
            self.api.running = None


LOAD_TIMEOUT_S = 0.5
"""How long FUNCTION LOAD may run a library's source, as in Redis."""


def _nothing(running: Running) -> None:
    """Nobody watches the time."""


def _promises_nothing(row: Row, args: Sequence[bytes]) -> bool:
    """Nobody looks into scripts before they run."""
    return False


def _no_channel(c: Session) -> Any:
    raise CommandError("ERR a script can't be debugged here")


def key_count(args: list[bytes]) -> int:
    """The number of keys that a request of the EVAL family announces.

    Raises:
        CommandError: it is negative, or greater than the number of arguments behind it.
    """
    text = args[2]
    if len(text) == 1 and 48 <= text[0] <= 57:
        n = text[0] - 48
    else:
        n = parse_int(text)
    if n > len(args) - 3:
        raise CommandError("ERR Number of keys can't be greater than number of args")
    if n < 0:
        raise CommandError("ERR Number of keys can't be negative")
    return n


def host_of(c: Session) -> Host:
    """The scripting engine of a session's node."""
    host = c.engine.services.scripting
    assert isinstance(host, Host)
    return host
