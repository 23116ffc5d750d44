"""How a redis.conf line is cut into arguments, and how a value is quoted back into one.

The rules are those of inline requests too: blanks separate, double quotes understand the escapes
``\\n \\r \\t \\b \\a \\xHH``, single quotes only ``\\'``, and a closing quote must end its argument.
Text is `str` decoded as UTF-8 with surrogateescape, so that any byte survives the round trip.
"""

from __future__ import annotations

import re

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "a": "\a"}
_UNESCAPES = {92: b"\\\\", 34: b'\\"', 10: b"\\n", 13: b"\\r", 9: b"\\t", 8: b"\\b", 7: b"\\a"}
_QUOTED = [_UNESCAPES.get(byte, bytes((byte,)) if 32 <= byte < 127 else b"\\x%02x" % byte) for byte in range(256)]

_TOKEN = re.compile(
    r"""[ \t\r\n\v\f]*(?:
        "(?P<double>(?:[^"\\]|\\.)*)"(?=[ \t\r\n\v\f]|\Z)
      | '(?P<single>(?:[^'\\]|\\'|\\(?!'))*)'(?=[ \t\r\n\v\f]|\Z)
      | (?P<plain>[^ \t\r\n"']+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)


def decode(raw: bytes) -> str:
    """Bytes of a request or a file as the text this package works on."""
    return raw.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The inverse of `decode`."""
    return text.encode("utf-8", "surrogateescape")


def split_arguments(line: str) -> list[str] | None:
    """The arguments of one line, or None when its quotes are unbalanced."""
    arguments: list[str] = []
    position = 0
    glued = False
    while line[position:].strip(" \t\r\n\v\f"):
        match = _TOKEN.match(line, position)
        if match is None:
            return None
        text = _text_of(match)
        if glued:
            arguments[-1] += text
        else:
            arguments.append(text)
        glued = match["plain"] is not None and match.end() < len(line) and line[match.end()] in "\"'"
        position = match.end()
    return arguments


def _text_of(match: re.Match[str]) -> str:
    if match["double"] is not None:
        raw = encode(match["double"])
        return decode(re.sub(rb"\\(?:x([0-9a-fA-F]{2})|(.))", _unescape, raw, flags=re.DOTALL))
    if match["single"] is not None:
        return match["single"].replace("\\'", "'")
    return match["plain"]


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1] is not None:
        return bytes((int(match[1], 16),))
    return encode(_ESCAPES.get(decode(match[2]), decode(match[2])))


def quote(text: str) -> str:
    """`text` in double quotes, so that `split_arguments` gives it back unchanged."""
    return quote_bytes(encode(text)).decode("ascii")


def quote_bytes(raw: bytes) -> bytes:
    """Bytes in double quotes: printable ASCII as it is, the rest escaped."""
    return b'"%b"' % b"".join(_QUOTED[byte] for byte in raw)
