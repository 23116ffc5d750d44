"""How a redis.conf line is cut into arguments, and how a value is quoted back into one.

The rules are those of inline requests too: blanks separate, double quotes understand the escapes
``\\n \\r \\t \\b \\a \\xHH``, single quotes only ``\\'``, and a closing quote must end its argument.
Text is `str` decoded as UTF-8 with surrogateescape, so that any byte survives the round trip.
"""

from __future__ import annotations

from kvserver.wire.quoting import split_args

_UNESCAPES = {92: b"\\\\", 34: b'\\"', 10: b"\\n", 13: b"\\r", 9: b"\\t", 8: b"\\b", 7: b"\\a"}
_QUOTED = [_UNESCAPES.get(byte, bytes((byte,)) if 32 <= byte < 127 else b"\\x%02x" % byte) for byte in range(256)]


def decode(raw: bytes) -> str:
    """Bytes of a request or a file as the text this package works on."""
    return raw.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The inverse of `decode`."""
    return text.encode("utf-8", "surrogateescape")


def split_arguments(line: str) -> list[str] | None:
    """The arguments of one line, or None when its quotes are unbalanced."""
    arguments = split_args(encode(line))
    return None if arguments is None else [decode(argument) for argument in arguments]


def quote(text: str) -> str:
    """`text` in double quotes, so that `split_arguments` gives it back unchanged."""
    return quote_bytes(encode(text)).decode("ascii")


def quote_bytes(raw: bytes) -> bytes:
    """Bytes in double quotes: printable ASCII as it is, the rest escaped."""
    return b'"%b"' % b"".join(_QUOTED[byte] for byte in raw)
