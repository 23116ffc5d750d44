"""What the debugger shows: the script's lines, breakpoints, values cut to a length, and what waits to be sent."""

from __future__ import annotations

import re
from collections.abc import Callable

from kvserver.errors import CommandError
from kvserver.scripting.debugger.words import HELP
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import array, simple

MOST_BREAKPOINTS = 64
DEFAULT_LENGTH = 256
SHORTEST_LENGTH = 60
MOST_SHOWN = 1 << 20
"""Bytes of one value that are shown when nothing else limits them."""
MOST_KEPT = 16 << 20
"""Bytes that wait to be sent; what a script says beyond that, before it stops, is lost."""
_TRIMMED = b"<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming."
_NUMBER = re.compile(rb"\s*([+-]?\d{1,9})")


class Screen:
    """The state of one session that concerns its looks."""

    def __init__(self, source: bytes) -> None:
        self.source = source.rstrip(b"\r\n").split(b"\n")
        self.line = -1  # where the script is
        self.breakpoints: list[int] = []
        self.max_length = DEFAULT_LENGTH  # 0 = unlimited
        self.hinted = False
        self.logs: list[bytes] = []
        self.size = 0  # bytes of `logs`

    def take(self) -> bytes:
        """What waits to be sent, as one reply."""
        reply = array([simple(line) for line in self.logs])
        self.logs.clear()
        self.size = 0
        return reply

    def help(self, words: list[bytes]) -> None:
        """Show the commands."""
        self.logs += HELP

    def list_(self, words: list[bytes]) -> None:
        """Show lines around one."""
        around, context = self.line, 5
        if len(words) > 1:
            around = max(_number(words[1]), 0) or around
        if len(words) > 2:
            context = _number(words[2])
        self.show(around, context)

    def whole(self, words: list[bytes]) -> None:
        """Show all lines."""
        self.show(1, len(self.source))

    def show(self, around: int, context: int) -> None:
        """Show the lines around one."""
        for line in range(max(around - context, 1), min(around + context, len(self.source)) + 1):
            self.log_source(line)

    def maxlen(self, words: list[bytes]) -> None:
        """Show or set how long a value may be."""
        if len(words) == 2:
            length = _number(words[1])
            self.hinted = True
            self.max_length = max(length, SHORTEST_LENGTH) if length else 0
        if self.max_length:
            self.log(b"<value> replies are truncated at %d bytes." % self.max_length)
        else:
            self.log(b"<value> replies are unlimited.")

    def breaks(self, words: list[bytes]) -> None:
        """Show, add or remove breakpoints."""
        if len(words) == 1:
            if not self.breakpoints:
                self.log(b"No breakpoints set. Use 'b <line>' to add one.")
                return
            self.log(b"%d breakpoints set:" % len(self.breakpoints))
            for line in self.breakpoints:
                self.log_source(line)
        for word in words[1:]:
            try:
                line = parse_int(word)
            except CommandError:
                self.log(b"Invalid argument:'%b'" % word)
                continue
            self._set_breakpoint(line)

    def _set_breakpoint(self, line: int) -> None:
        points = self.breakpoints
        if line == 0:
            points.clear()
            self.log(b"All breakpoints removed.")
        elif line < 0 and -line in points:
            points.remove(-line)
            self.log(b"Breakpoint removed.")
        elif line < 0:
            self.log(b"No breakpoint in the specified line.")
        elif len(points) == MOST_BREAKPOINTS:
            self.log(b"Too many breakpoints set.")
        elif line > len(self.source) or line in points:
            self.log(b"Wrong line number.")
        else:
            points.append(line)
            self.show(line, 1)

    def log(self, text: bytes) -> None:
        """Add a line to what is sent next."""
        self.size += len(text)
        if self.size <= MOST_KEPT:
            self.logs.append(text.replace(b"\r", b" ").replace(b"\n", b" "))

    def log_source(self, line: int) -> None:
        """Show a line of the script, marked when the script stands there and when it has a breakpoint."""
        line = int(line)
        mark = (b"->" if line == self.line else b"  ") + (b"#" if line in self.breakpoints else b" ")
        known = 0 < line <= len(self.source)
        text = self.source[line - 1] if known else b"<out of range source code line>"
        self.log(b"%b%-3d %b" % (mark, line, text))

    def log_value(self, before: bytes, text: bytes) -> None:
        """Show a value, trimmed to `maxlen`."""
        entry = before + text
        limit = self.max_length
        if not limit or len(entry) <= limit:
            self.log(entry)
            return
        self.log(entry[:limit] + b" ...")
        if not self.hinted:
            self.hinted = True
            self.log(_TRIMMED)

    def room(self) -> int:
        """Bytes of a value worth showing."""
        return self.max_length or MOST_SHOWN


def _number(text: bytes) -> int:
    """A number as C's atoi reads it: what isn't one is 0."""
    found = _NUMBER.match(text)
    return int(found.group(1)) if found else 0


COMMANDS: dict[bytes, Callable[[Screen, list[bytes]], None]] = {
    name: handler
    for names, handler in (
        ((b"h", b"help"), Screen.help),
        ((b"l", b"list"), Screen.list_),
        ((b"w", b"whole"), Screen.whole),
        ((b"m", b"maxlen"), Screen.maxlen),
        ((b"b", b"break"), Screen.breaks),
    )
    for name in names
}
"""The commands that only show or change what is shown."""
