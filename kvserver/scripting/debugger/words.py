"""The debugger's wire: the words it receives, replies as people read them, its help."""

from __future__ import annotations

from kvserver.config.quoting import quote_bytes
from kvserver.errors import CommandError

MOST_WORDS = 1024
LONGEST_WORD = 1024
MOST_INPUT = 1 << 20

_PROTOCOL = "ERR protocol error"


def parse_words(data: bytes) -> tuple[list[bytes] | None, bytes]:
    """Return the first command of `data` and what is behind it; (None, data) while it isn't whole.

    Raises:
        CommandError: it is no array of short strings, or more than 1 MB has gathered.
    """
    if not data:
        return None, data
    if len(data) > MOST_INPUT:
        raise CommandError("ERR max client buffer reached")
    start = data.find(b"*")
    if start < 0:
        raise CommandError(_PROTOCOL)
    count, pos = _length(data, start, b"*", MOST_WORDS)
    words: list[bytes] = []
    while count > len(words):
        size, pos = _length(data, pos, b"$", LONGEST_WORD)
        if not size:
            return None, data
        end = pos + size
        if len(data) < end + 2:
            return None, data
        if data[end : end + 2] != b"\r\n":
            raise CommandError(_PROTOCOL)
        words.append(data[pos:end])
        pos = end + 2
    return (words, data[pos:]) if words else (None, data)


def _length(data: bytes, pos: int, mark: bytes, most: int) -> tuple[int, int]:
    """The number in the line at `pos`, and where the next line begins; 0 while the line isn't whole."""
    if pos >= len(data):
        return 0, pos
    if data[pos : pos + 1] != mark:
        raise CommandError(_PROTOCOL)
    end = data.find(b"\r\n", pos)
    text = data[pos + 1 : end] if end >= 0 else data[pos + 1 :]
    if end < 0 and len(text) <= 5:
        return 0, pos
    if not text.isdigit() or not 0 < int(text[:9]) <= most:
        raise CommandError(_PROTOCOL)
    return int(text), end + 2


def human(reply: bytes, most: int) -> bytes:
    """A RESP reply as the debugger shows it, of which not much more than `most` bytes are worked out."""
    out: list[bytes] = []
    _value(reply, 0, out, most)
    return b"".join(out)


def _value(reply: bytes, pos: int, out: list[bytes], left: int) -> tuple[int, int]:
    """Append the value at `pos`; return where the next begins, and how many bytes may still be shown."""
    end = reply.index(b"\r\n", pos)
    kind = reply[pos : pos + 1]
    text = reply[pos + 1 : end]
    after = end + 2
    if kind in _BRACKETS and text != b"-1":
        return _many(reply, after, kind, int(text), out, left)
    if kind in b"$=" and text != b"-1":
        size = int(text)
        shown = quote_bytes(reply[after : after + min(size, left + 1)])
        after += size + 2
    elif kind in b"+-":
        shown = quote_bytes(reply[pos : min(end, pos + left + 1)])
    elif kind == b"#":
        shown = b"#true" if text == b"t" else b"#false"
    elif kind in _PLAIN:
        shown = _PLAIN[kind] + text
    else:
        shown = b"(null)" if kind == b"_" else b"NULL"
    out.append(shown)
    return after, left - len(shown)


def _many(reply: bytes, pos: int, kind: bytes, count: int, out: list[bytes], left: int) -> tuple[int, int]:
    before, behind = _BRACKETS[kind]
    out.append(before)
    for i in range(count):
        if left < 0:
            return pos, left
        if i:
            out.append(b",")
        pos, left = _value(reply, pos, out, left - 1)
        if kind == b"%" and left >= 0:
            out.append(b" => ")
            pos, left = _value(reply, pos, out, left)
    out.append(behind)
    return pos, left


_BRACKETS = {b"*": (b"[", b"]"), b"~": (b"~(", b")"), b"%": (b"{", b"}")}
_PLAIN = {b":": b"", b",": b"(double) ", b"(": b""}

HELP = [
    b"Redis Lua debugger help:",
    b"[h]elp               Show this help.",
    b"[s]tep               Run current line and stop again.",
    b"[n]ext               Alias for step.",
    b"[c]ontinue           Run till next breakpoint.",
    b"[l]ist               List source code around current line.",
    b"[l]ist [line]        List source code around [line].",
    b"                     line = 0 means: current position.",
    b"[l]ist [line] [ctx]  In this form [ctx] specifies how many lines",
    b"                     to show before/after [line].",
    b"[w]hole              List all source code. Alias for 'list 1 1000000'.",
    b"[p]rint              Show all the local variables.",
    b"[p]rint <var>        Show the value of the specified variable.",
    b"                     Can also show global vars KEYS and ARGV.",
    b"[b]reak              Show all breakpoints.",
    b"[b]reak <line>       Add a breakpoint to the specified line.",
    b"[b]reak -<line>      Remove breakpoint from the specified line.",
    b"[b]reak 0            Remove all breakpoints.",
    b"[t]race              Show a backtrace.",
    b"[e]val <code>        Execute some Lua code (in a different callframe).",
    b"[r]edis <cmd>        Execute a Redis command.",
    b"[m]axlen [len]       Trim logged Redis replies and Lua var dumps to len.",
    b"                     Specifying zero as <len> means unlimited.",
    b"[a]bort              Stop the execution of the script. In sync",
    b"                     mode dataset changes will be retained.",
    b"",
    b"Debugger functions you can call from Lua scripts:",
    b"redis.debug()        Produce logs in the debugger console.",
    b"redis.breakpoint()   Stop execution like if there was a breakpoint in the",
    b"                     next line of code.",
]
"""What `help` shows: each command of Redis's debugger, in its own words, as redis-cli's users know them."""
