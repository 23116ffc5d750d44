"""What `redis.*` does: commands on behalf of the running script, under the server's rules.

A script's commands run in a session of its own, which is the caller's as far as database and rights go.  The
gates that guard writes are asked for the first write only: what has begun may finish (Redis's script.c).
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1
from typing import Any, Protocol

import cython

from kvserver.engine.command_table import naming
from kvserver.engine.command_table.row import MAY_REPLICATE, NOSCRIPT, WRITE, Row
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import ATT_RESTRICTED, FIRST_NEED, FIRST_WRITE, SCRIPT, NoPort, Session
from kvserver.scripting.bridge import ERROR, MEMORY, STATUS, TABLE, Commands, number_text
from kvserver.scripting.decoding import decode
from kvserver.scripting.running import GO_ON, REPL_ALL, Running, restrict
from kvserver.scripting.runtime import Runtime
from kvserver.scripting.shebang import ALLOW_OOM

if cython.compiled:
    from cython.cimports.kvserver.engine.command_table.naming import find  # type: ignore
    from cython.cimports.kvserver.engine.commands.strings.strings import small_int  # type: ignore
    from cython.cimports.kvserver.engine.run.executor import unhindered  # type: ignore
else:
    from kvserver.engine.command_table.naming import find
    from kvserver.engine.commands.strings.strings import small_int
    from kvserver.engine.run.executor import unhindered

# C's copies of constants, declared in the .pxd: one of Python would be an object to look up and to compute with.
_noscript = NOSCRIPT
_changes = WRITE | MAY_REPLICATE
_write = WRITE
_everywhere = REPL_ALL
_restricted = ATT_RESTRICTED
_script = SCRIPT
_first_write = FIRST_WRITE
_first_need = FIRST_WRITE | FIRST_NEED
_allow_oom = ALLOW_OOM
_not_small = -(1 << 62)
_READ_ONLY = b"ERR Write commands are not allowed from read-only scripts."
_UNKNOWN = b"ERR Unknown Redis command called from script"
_ARITY = b"ERR Wrong number of args calling Redis command from script"
_NOT_ALLOWED = b"ERR This Redis command is not allowed from script"


class Trace(Protocol):
    """Who is told what a script's commands do."""

    def called_with(self, args: list[bytes]) -> None:
        """A command is about to run."""

    def replied(self, reply: bytes) -> None:
        """It has replied."""

    def refused(self, text: bytes) -> None:
        """It may not run."""


class Api(Commands):
    """The functions of the sandbox that act on the server."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.machine: Runtime | None = None  # that which runs scripts; theirs is the only way here
        self.session: Session = engine.internal_session("script", NoPort())
        self.session.no_block = True
        self.running: Running | None = None
        self.deny_scripts = True  # False: commands that scripts may not run, may (DEBUG)
        self.on_tick: Callable[[Running], None] = _nothing
        self.on_log: Callable[[int, str], None] = _unheard
        self.trace: Trace | None = None  # the debugger, while it runs
        self._rng = engine.services.doors.chance.generator()

    def natives(self) -> dict[bytes, Any]:
        """Return name -> function for the sandbox."""
        return {
            b"call": self.call,
            b"call_packed": self.call_packed,
            b"may": self.may,
            b"tick": self.tick,
            b"random": self._random,
            b"seed": self._seed,
            b"log": self._log,
            b"setresp": self._setresp,
            b"set_repl": self._set_repl,
        }

    def begin(self, running: Running) -> None:
        """Let a script act as its caller."""
        self.running = running
        c, caller = self.session, running.caller
        c.db = caller.db
        c.resp = 2
        c.user = caller.user
        c.acl = caller.acl
        c.attention = caller.attention & _restricted
        c.address = caller.address

    # -- redis.call -------------------------------------------------------------------------------------------

    def call(self, *args: Any) -> Any:
        """Run a command; return its value, or (value, kind, text) for what the sandbox makes a table of."""
        return self._call([arg if type(arg) is bytes else number_text(arg) for arg in args])

    def _call(self, request: list[bytes]) -> Any:
        machine = self.machine
        if machine is None or not machine.room(0):
            return None, MEMORY
        return self._value(self.perform(request))

    def perform(self, request: list[bytes]) -> bytes:
        """Run a command; return its reply, or why it may not run as an error."""
        engine = self.engine
        trace = self.trace
        if trace is not None:
            trace.called_with(request)
        running = self.running
        row: Row | None = find(engine.rows, request)
        refusal = self._refusal(engine, running, row, request)
        if refusal is not None:
            if trace is not None:
                trace.refused(refusal)
            return b"-%b\r\n" % refusal
        assert running is not None
        assert row is not None
        mark = len(engine.batch)
        c = self.session
        reply = engine.call(c, row, request) or b"$-1\r\n"
        if running.repl != _everywhere and not engine.log.whole:  # a whole log is everywhere, or not whole
            restrict(engine.batch, mark, running.repl)
        if trace is not None:
            trace.replied(reply)
        return reply

    def call_packed(self, lengths: bytes, data: bytes) -> Any:
        """As `call`, with the arguments in one string."""
        args = []
        start = 0
        for length in lengths.split():
            end = start + int(length)
            args.append(data[start:end])
            start = end
        return self._call(args)

    def _value(self, reply: bytes) -> Any:
        kind = reply[0]
        if kind == 58:  # ':'
            number = small_int(reply[1:-2])
            return int(reply[1:-2]) if number <= _not_small else number
        if kind == 36:  # '$'
            if reply[1] == 45:
                return False
            if self.machine is None or not self.machine.room(len(reply)):
                return None, MEMORY
            return reply[reply.index(b"\n") + 1 : -2]
        if kind == 43:  # '+'
            return None, STATUS, reply[1:-2]
        if kind == 45:  # '-'
            return None, ERROR, reply[1:-2]
        machine = self.machine
        if machine is None or not machine.room(16 * len(reply)):
            return None, MEMORY
        return decode(reply, machine.make), TABLE

    def _refusal(self, engine: Engine, running: Running | None, row: Row | None, args: list[bytes]) -> bytes | None:
        """Why a command may not run, or None."""
        if running is None:
            return b"ERR redis.call can only be called inside a script invocation"
        if row is None:
            row = naming.resolve(engine.rows, args)
            return self._counted(_UNKNOWN) if row is None else self._counted(_ARITY, row)
        flags = row.flags
        if flags & _noscript and self.deny_scripts:
            return self._counted(_NOT_ALLOWED, row)
        if flags & _changes and running.read_only:
            return self._counted(_READ_ONLY, row)
        watched = flags & engine.deny or self.session.attention
        if watched and not unhindered(engine, self.session, row, args):
            context = _script
            if not running.wrote:
                context |= _first_write if running.flags & _allow_oom else _first_need
            refusal = engine.ask(self.session, row, args, context)
            if refusal is not None and len(refusal) > 0:
                return self._counted(refusal[1:-2], row)
        if flags & _write:
            running.wrote = True
        return None

    def _counted(self, text: bytes, row: Row | None = None) -> bytes:
        if row is not None:
            row.rejected += 1
        self.engine.count_error(b"-%b\r\n" % text)
        return text

    # -- the rest ---------------------------------------------------------------------------------------------

    def may(self, *args: Any) -> bool | None:
        """redis.acl_check_cmd: whether the caller's user may run a command; None when there is no such command."""
        request = [arg if type(arg) is bytes else number_text(arg) for arg in args]
        row = naming.resolve(self.engine.rows, request)
        if row is None:
            return None
        return not self.session.attention or bool(self.engine.services.access.allows(self.session, row, request))

    def tick(self) -> int:
        """Called by the machine every so often: whether the script goes on, and if not why."""
        running = self.running
        if running is None:
            return GO_ON
        if running.stop == GO_ON:
            self.on_tick(running)
        return running.stop

    def _random(self) -> float:
        return self._rng.random()

    def _seed(self, seed: float) -> None:
        self._rng.seed(repr(seed))

    def _log(self, level: float, text: bytes) -> None:
        self.on_log(int(level), text.decode("utf-8", "replace"))

    def _setresp(self, version: int) -> None:
        self.session.resp = int(version)

    def _set_repl(self, flags: float) -> None:
        if self.running is not None:
            self.running.repl = int(flags)


def digest(body: bytes) -> bytes:
    """The name of a script: its SHA-1 in hexadecimal digits."""
    return sha1(body, usedforsecurity=False).hexdigest().encode()


def _nothing(running: Running) -> None:
    """No shell is attached."""


def _unheard(level: int, text: str) -> None:
    """Nobody logs."""
