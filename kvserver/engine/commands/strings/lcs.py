"""LCS: the longest common subsequence of two strings (https://redis.io/commands/lcs/)."""

from __future__ import annotations

from kvserver.engine.run.session import Session
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import array_header, bulk, integer, map_header

Match = tuple[int, int, int, int, int]
"""(first and last index in a, first and last index in b, length)"""
MAX_CELLS = 2**24
"""The table of the algorithm takes len(a) * len(b) cells; more than this many is refused."""


def lcs(c: Session, a: list[bytes]) -> bytes:
    """LCS key1 key2 [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN]."""
    x, y = (_string(c, key) for key in a[1:3])
    want_len = want_idx = with_len = False
    min_len = 0
    i = 3
    while i < len(a):
        option = a[i].upper()
        if option == b"LEN":
            want_len = True
        elif option == b"IDX":
            want_idx = True
        elif option == b"WITHMATCHLEN":
            with_len = True
        elif option == b"MINMATCHLEN" and i + 1 < len(a):
            i += 1
            min_len = max(parse_int(a[i]), 0)
        else:
            raise CommandError(SYNTAX)
        i += 1
    if want_len and want_idx:
        raise CommandError("ERR If you want both the length and indexes, please just use IDX.")
    if (len(x) + 1) * (len(y) + 1) > MAX_CELLS:
        raise CommandError("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
    table = _lengths(x, y)
    total = table[len(x)][len(y)]
    if want_len:
        return integer(total)
    text, matches = _walk(x, y, table)
    if not want_idx:
        return bulk(text)
    kept = [m for m in matches if m[4] >= min_len]
    out = [map_header(2, c.resp), bulk(b"matches"), array_header(len(kept))]
    for match in kept:
        out.append(_encode(match, with_len))
    out += [bulk(b"len"), integer(total)]
    return b"".join(out)


def _string(c: Session, key: bytes) -> bytes:
    value = c.db.lookup(key)
    if value is not None and not isinstance(value, bytes | bytearray):
        raise CommandError("ERR The specified keys must contain string values")
    return bytes(value or b"")


def _lengths(x: bytes, y: bytes) -> list[list[int]]:
    """Return the table whose cell [i][j] is the length for the first i bytes of x and the first j of y."""
    row = [0] * (len(y) + 1)
    table = [row]
    for cx in x:
        above = row
        row = [0] * (len(y) + 1)
        left = 0
        for j, cy in enumerate(y, 1):
            left = above[j - 1] + 1 if cx == cy else max(above[j], left)
            row[j] = left
        table.append(row)
    return table


def _walk(x: bytes, y: bytes, table: list[list[int]]) -> tuple[bytes, list[Match]]:
    """Follow the table back from its end: the subsequence, and its runs from the last to the first."""
    i, j = len(x), len(y)
    text = bytearray()
    matches: list[Match] = []
    run = 0
    while i and j:
        if x[i - 1] == y[j - 1]:
            text.append(x[i - 1])
            i -= 1
            j -= 1
            run += 1
            continue
        if run:
            matches.append((i, i + run - 1, j, j + run - 1, run))
            run = 0
        if table[i - 1][j] > table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    if run:
        matches.append((i, i + run - 1, j, j + run - 1, run))
    text.reverse()
    return bytes(text), matches


def _encode(match: Match, with_len: bool) -> bytes:
    a0, a1, b0, b1, length = match
    out = [array_header(3 if with_len else 2)]
    for first, last in ((a0, a1), (b0, b1)):
        out += [array_header(2), integer(first), integer(last)]
    if with_len:
        out.append(integer(length))
    return b"".join(out)
