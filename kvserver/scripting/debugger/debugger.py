"""The Lua debugger's mind: breakpoints, commands, and what is shown to the person at the other end.

Theory of operation.  In a debugging session the Lua machine calls `stops` before each line of the script (and now
and then within a long one).  When that says yes, the machine asks `command` again and again what to do: the debugger
sends what it has to tell, reads the next words from its channel, obeys them itself where it can, and hands back an
action where only the machine can (look at variables, run code, go on, fail).  Each answer is one RESP array of
status lines; the session's last one ends with <endsession>.  The wire is Redis's, as redis-cli --ldb speaks it; see
https://redis.io/docs/latest/develop/programmability/lua-debugging/.

What a client may send is bounded as in Redis: 1024 words of 1024 bytes, 1 MB in all.  None of the functions that
the machine calls may raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from kvserver.errors import CommandError
from kvserver.scripting.api import Api
from kvserver.scripting.debugger.screen import COMMANDS, Screen
from kvserver.scripting.debugger.words import human, parse_words
from kvserver.scripting.running import EVAL_TIMEOUT, GO_ON

RESUME, PRINT, TRACE, EVAL, FAIL, STOP = range(6)
"""What the machine is told to do."""
EVAL_LIMIT_S = 5.0
"""How long code that is typed in may run."""
TIMEOUT_S = 5.0
"""How long a script runs on before it is stopped, when busy-reply-threshold says nothing."""
_NO_COMMAND = b"<error> Unknown Redis Lua debugger command or wrong number of arguments."
_GONE = b"ERR timeout during Lua debugging with client closing connection"
_ABORTED = b"ERR script aborted for user request"
_NO_MEMORY = b"<error> not enough memory"

Action = tuple[int, bytes | None]


class Channel(Protocol):
    """The way to the person who debugs."""

    def send(self, data: bytes) -> None:
        """Send bytes; when that fails the next `receive` says so."""

    def receive(self) -> bytes:
        """Wait for bytes; none when the peer has gone, or the script must end."""


class Debugger:
    """The debugger of one node: one session at a time, as one script at a time runs."""

    def __init__(self, api: Api, clock: Callable[[], float]) -> None:
        self.api = api
        self.clock = clock  # seconds, monotonic
        self.threshold_s = TIMEOUT_S
        self.channel: Channel | None = None
        self.screen = Screen(b"")
        self._reset()

    def _reset(self) -> None:
        self.stepping = True
        self.called = False  # redis.breakpoint()
        self.timed_out = False
        self.input = b""
        self._owes_answer = False

    def begin(self, channel: Channel, source: bytes) -> None:
        """Start a session for a script."""
        self._reset()
        self.screen = Screen(source)
        self.channel = channel
        self.api.trace = self

    def end(self) -> None:
        """End the session: what is left to tell, and the mark."""
        self.screen.log(b"<endsession>")
        self._send()
        self.channel = None
        self.api.trace = None
        self.screen = Screen(b"")

    def natives(self) -> dict[bytes, Any]:
        """Return name -> function for the machine."""
        return {
            b"debug_stops": self.stops,
            b"debug_command": self.command,
            b"debug_log": lambda text: self.screen.log(text),
            b"debug_source": lambda line: self.screen.log_source(int(line)),
            b"debug_value": lambda before, text: self.screen.log_value(before, text),
            b"debug_room": lambda: self.screen.room(),
            b"debug_limit": self.limit,
            b"debug_breakpoint": self.breakpoint,
            b"debug_active": lambda: self.channel is not None,
            b"debug_say": lambda text: self.screen.log(b"<debug> line %d: %b" % (self.screen.line, text)),
        }

    # -- stopping ---------------------------------------------------------------------------------------------

    def stops(self, line: int, within: bool) -> bool:
        """Whether the script stops at a line; `within`: it has been there for long, and no new line begins."""
        running = self.api.running
        if self.channel is None or running is None:
            return False
        screen = self.screen
        screen.line = int(line)
        at_breakpoint = self.called or screen.line in screen.breakpoints
        self.timed_out = False
        if within and not self.stepping and not at_breakpoint:
            if self.clock() - running.started_s < self.threshold_s:
                return False
            self.timed_out = True
        elif not self.stepping and not at_breakpoint:
            return False
        reason = b"step over"
        if at_breakpoint:
            reason = b"redis.breakpoint() called" if self.called else b"break point"
        elif self.timed_out:
            reason = b"timeout reached, infinite loop?"
        self.stepping = self.called = False
        screen.log(b"* Stopped at %d, stop reason = %b" % (screen.line, reason))
        screen.log_source(screen.line)
        self._owes_answer = True
        return True

    def breakpoint(self) -> bool:
        """redis.breakpoint(): stop at the next line; whether somebody debugs."""
        self.called = self.channel is not None
        return self.called

    def command(self) -> Action:
        """What the machine shall do next."""
        if self._owes_answer:
            self._owes_answer = False
            self._send()
        while True:
            try:
                words = self._read()
            except CommandError as failure:
                return FAIL, _bytes(failure.text)
            running = self.api.running
            if running is None or running.stop != GO_ON:
                return STOP, None
            if words is None:
                self.stepping = False
                self.screen.breakpoints.clear()
                return (FAIL, _GONE) if self.timed_out else (RESUME, None)
            action = self._obey(words)
            running.started_s = self.clock()
            if action is not None:
                self._owes_answer = action[0] in (PRINT, TRACE, EVAL)
                return action
            self._send()

    def _read(self) -> list[bytes] | None:
        """The next command's words; None when nobody is there."""
        while True:
            words, self.input = parse_words(self.input)
            if words is not None:
                return words
            data = b"" if self.channel is None else self.channel.receive()
            if not data:
                return None
            self.input += data

    def _obey(self, words: list[bytes]) -> Action | None:
        """Obey a command; return what is left for the machine, None for nothing."""
        name = words[0].lower()
        if name in (b"s", b"step", b"n", b"next"):
            self.stepping = True
            return RESUME, None
        if name in (b"c", b"continue"):
            return RESUME, None
        if name in (b"a", b"abort"):
            return FAIL, _ABORTED
        if name in (b"t", b"trace"):
            return TRACE, None
        argument: bytes | None = None
        if name in (b"p", b"print"):
            action, argument = PRINT, words[1] if len(words) == 2 else None
        elif name in (b"e", b"eval"):
            action, argument = EVAL, b" ".join(words[1:])
        else:
            self._show(name, words)
            return None
        machine = self.api.machine
        if machine is None or not machine.room(4 * len(argument or b"")):
            self.screen.log(_NO_MEMORY)
            return None
        return action, argument

    def limit(self, on: bool) -> None:
        """Code that was typed in begins or ends: it has its own limit of time."""
        running = self.api.running
        if running is None:
            return
        running.deadline_s = self.clock() + EVAL_LIMIT_S if on else 0.0
        running.overdue = EVAL_TIMEOUT
        if not on and running.stop == EVAL_TIMEOUT:
            running.stop = GO_ON

    def _show(self, name: bytes, words: list[bytes]) -> None:
        """Obey a command that the machine isn't needed for."""
        handler = COMMANDS.get(name)
        if handler is not None:
            handler(self.screen, words)
        elif name in (b"r", b"redis") and len(words) > 1:
            self._redis(words)
        else:
            self.screen.log(_NO_COMMAND)

    def _redis(self, words: list[bytes]) -> None:
        """Run a command as redis.call would, with all it does shown."""
        self.stepping = True
        self.api.call(*words[1:])
        self.stepping = False

    def called_with(self, args: list[bytes]) -> None:
        """A command is about to run for the script: shown while it is stepped through."""
        if self.stepping:
            more = b" ... (%d more)" % (len(args) - 11) if len(args) > 10 else b""
            self.screen.log(b"<redis> " + b" ".join(args[:10]) + more)

    def replied(self, reply: bytes) -> None:
        """What the command replied."""
        if self.stepping:
            if reply.startswith(b"-"):
                self.screen.log(b"<error> " + reply[:-2])
            self.screen.log_value(b"<reply> ", human(reply, self.screen.room()))

    def refused(self, text: bytes) -> None:
        """Why the command didn't run."""
        if self.stepping:
            self.screen.log(b"<error> " + text.removeprefix(b"ERR "))

    def _send(self) -> None:
        if self.channel is not None:
            self.channel.send(self.screen.take())


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
