"""Glob patterns as Redis matches them (KEYS, SCAN, PSUBSCRIBE, CONFIG GET): * ? [a-z] [^a] and backslash."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

Matcher = Callable[[bytes], object]


NESTED_MAX = 1000
"""Stars followed by more than stars that a pattern may have: beyond that it matches nothing, as in Redis."""


@lru_cache(maxsize=1024)
def matcher(pattern: bytes, ignore_case: bool = False) -> Matcher:
    """Return a function that tells whether a text matches `pattern`."""
    if pattern.count(b"*") > NESTED_MAX and _nesting(pattern) > NESTED_MAX:
        return _nothing
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    some = b"(?=.)" if pattern else b""  # in Redis only the empty pattern matches the empty text
    return re.compile(some + _translate(pattern) + rb"\Z", flags).match


def _nothing(text: bytes) -> None:
    """Match no text."""


def _nesting(pattern: bytes) -> int:
    """How many groups of stars something follows."""
    count = 0
    i = _next_star(pattern, 0)
    while i < len(pattern):
        while pattern[i : i + 1] == b"*":
            i += 1
        count += i < len(pattern)
        i = _next_star(pattern, i)
    return count


def is_literal(pattern: bytes) -> bool:
    """Whether the pattern matches only itself."""
    return not any(c in b"*?[\\" for c in pattern)


def _translate(pattern: bytes) -> bytes:
    """Turn a glob into a regular expression that never backtracks exponentially."""
    out: list[bytes] = []
    i = 0
    n = len(pattern)
    while i < n:
        c = pattern[i : i + 1]
        i += 1
        if c == b"*":
            while pattern[i : i + 1] == b"*":
                i += 1
            # A later star makes an earlier one settle for its first match: lazy and atomic, so linear.
            end = _next_star(pattern, i)
            if end < n:
                out.append(b"(?>.*?" + _translate(pattern[i:end]) + b")")
                i = end
            else:
                out.append(b".*")
        elif c == b"?":
            out.append(b".")
        elif c == b"[":
            text, i = _class(pattern, i)
            out.append(text)
        elif c == b"\\" and i < n:
            out.append(re.escape(pattern[i : i + 1]))
            i += 1
        else:
            out.append(re.escape(c))
    return b"".join(out)


def _next_star(pattern: bytes, i: int) -> int:
    """Return where the next * stands outside of a class and unescaped, or the pattern's length."""
    n = len(pattern)
    while i < n:
        c = pattern[i]
        if c == 42:
            return i
        if c == 92:
            i += 1
        elif c == 91:
            _, i = _class(pattern, i + 1)
            continue
        i += 1
    return n


def _class(pattern: bytes, i: int) -> tuple[bytes, int]:
    """Translate the class that begins behind a bracket; return it and the index behind it.

    As in Redis, a class that isn't closed ends with the pattern, and a range may run backwards.
    """
    negate = pattern[i : i + 1] == b"^"
    i += negate
    members: list[bytes] = []
    n = len(pattern)
    while i < n and pattern[i] != 93:
        if pattern[i] == 92 and i + 1 < n:
            i += 1
            members.append(_hex(pattern[i]))
        elif i + 2 < n and pattern[i + 1] == 45:
            members.append(_range(pattern[i], pattern[i + 2]))
            i += 2
        else:
            members.append(_hex(pattern[i]))
        i += 1
    i += 1
    if not members:
        return (b"." if negate else b"(?!)"), i
    return b"[" + (b"^" if negate else b"") + b"".join(members) + b"]", i


def _range(one: int, other: int) -> bytes:
    """The bytes between two, in C's order of chars: they have signs, so those from 128 on come before 0."""
    low, high = sorted((one, other), key=lambda byte: (byte + 128) % 256)
    if low <= high:
        return _hex(low) + b"-" + _hex(high)
    return _hex(low) + b"-" + _hex(255) + _hex(0) + b"-" + _hex(high)


def _hex(byte: int) -> bytes:
    return b"\\x%02x" % byte
