"""Cutting a line into arguments by the quoting rules that inline requests, redis.conf and redis-cli share."""

from __future__ import annotations

import re

_ESCAPES = {110: 10, 114: 13, 116: 9, 98: 8, 97: 7}
_HEX = b"0123456789abcdefABCDEF"
_SPECIAL = re.compile(rb"[\"'\0\v\f]")
"""Without these, words are what bytes.split makes of a line: it also separates at VT and FF, which may be in a word."""


def split_args(line: bytes) -> list[bytes] | None:
    """Split a line into arguments by redis-cli's quoting rules; None when a quote is unbalanced.

    Double quotes know the escapes \\n \\r \\t \\b \\a \\xHH and \\c for the character c itself; single quotes
    know only \\'.  The inline protocol and redis.conf share these rules.
    """
    if _SPECIAL.search(line) is None:
        return line.split()
    out: list[bytes] = []
    i = 0
    n = len(line)
    while True:
        while i < n and line[i] in b" \t\n\v\f\r\0":
            i += 1
        if i >= n:
            return out
        word = bytearray()
        while i < n and line[i] not in b" \t\n\r\0":
            if line[i] in b"\"'":
                end = _quoted(line, i, word)
                if end < 0 or (end < n and line[end] not in b" \t\n\v\f\r\0"):
                    return None
                i = end
                break
            word.append(line[i])
            i += 1
        out.append(bytes(word))


def _quoted(line: bytes, start: int, word: bytearray) -> int:
    """Append the quoted text that begins at `start` to `word`; return the index behind it, or -1."""
    quote = line[start]
    double = quote == 34
    i = start + 1
    n = len(line)
    while i < n:
        c = line[i]
        if c == quote:
            return i + 1
        if c == 92 and i + 1 < n:
            follow = line[i + 1]
            if double and follow == 120 and i + 3 < n and line[i + 2] in _HEX and line[i + 3] in _HEX:
                word.append(int(line[i + 2 : i + 4], 16))
                i += 4
                continue
            if double:
                word.append(_ESCAPES.get(follow, follow))
                i += 2
                continue
            if follow == 39:
                word.append(39)
                i += 2
                continue
        word.append(c)
        i += 1
    return -1
