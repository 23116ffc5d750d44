"""Random members of an aggregate, and the SCAN of one: what HRANDFIELD, SRANDMEMBER, HSCAN … share."""

from __future__ import annotations

from typing import Any

from kvserver.client.reasons import Reason
from kvserver.engine.commands.keys.keys import parse_cursor, scan_options, scan_reply
from kvserver.engine.keys.hash_expiry import is_due
from kvserver.engine.keys.table import Table
from kvserver.engine.run.session import Session
from kvserver.engine.values.types import ExpiringHash
from kvserver.errors import OUT_OF_RANGE, SYNTAX, CommandError
from kvserver.wire.glob import matcher
from kvserver.wire.numbers import INT64_MAX, INT64_MIN, parse_int
from kvserver.wire.resp import array_header, bulk

MOST = 1 << 24
"""Repeated picks that one request may ask for; Redis would go on until its memory is gone."""


def pick(c: Session, table: Table, count: int) -> list[tuple[bytes, Any]]:
    """Return `count` different random entries (all if fewer), or -count ones that may repeat.

    Raises:
        CommandError: more than MOST repetitions. With a limit for replies that as many exceed, the connection ends.
    """
    rng = c.db.state.rng
    if count < 0:
        if -count > MOST:
            if 0 < c.engine.services.config.client_output_buffer_limit.normal.hard_bytes < -count:
                c.end(Reason.OUTPUT_HARD, f"{-count} entries are asked for")
            raise CommandError(OUT_OF_RANGE)
        return [table.random_entry(rng) for _ in range(-count)]  # type: ignore[misc]
    if count >= len(table):
        return list(table.items())
    if count * 3 > len(table):
        return rng.sample(list(table.items()), count)
    found: dict[bytes, Any] = {}
    while len(found) < count:
        key, value = table.random_entry(rng)  # type: ignore[misc]
        found[key] = value
    return list(found.items())


def signed_count(raw: bytes) -> int:
    """Read a count whose sign has a meaning.

    Raises:
        CommandError: no integer, or one that has no opposite.
    """
    count = parse_int(raw)
    if count == INT64_MIN:
        raise CommandError(f"ERR value is out of range, value must between {-INT64_MAX} and {INT64_MAX}")
    return count


def pick_arguments(a: list[bytes], extra: bytes) -> tuple[int, bool]:
    """Read "count [WITHVALUES|WITHSCORES]" behind the key; return (count, whether the extra word is there)."""
    count = signed_count(a[2])
    if len(a) > 4 or (len(a) == 4 and a[3].upper() != extra):
        raise CommandError(SYNTAX)
    if len(a) == 4 and abs(count) > INT64_MAX // 2:
        raise CommandError(OUT_OF_RANGE)
    return count, len(a) == 4


def pairs_reply(pairs: list[tuple[bytes, bytes]], proto: int) -> bytes:
    """Encode (member, encoded score or value): flat in RESP2, an array of pairs in RESP3."""
    if proto == 3:
        return array_header(len(pairs)) + b"".join([b"*2\r\n%b%b" % (bulk(m), s) for m, s in pairs])
    return array_header(2 * len(pairs)) + b"".join([b"%b%b" % (bulk(m), s) for m, s in pairs])


def scan_value(c: Session, a: list[bytes], check: Any, show: Any) -> bytes:
    """HSCAN, SSCAN, ZSCAN: `check` tells the type of the value, `show` turns an entry's value into a text or None.

    A small value (Redis's compact encodings) is returned at once.
    """
    cursor = parse_cursor(a[2])
    value = check(c.db.lookup(a[1]))
    if value is None:
        return scan_reply(0, [])
    pattern, count, _ = scan_options(a, 3)
    if value.big:
        cursor, entries = value.scan(cursor, min(count, 1 << 20))
    else:
        cursor, entries = 0, list(value.items())
    match = None if pattern == b"*" else matcher(pattern)
    out: list[bytes] = []
    hidden = value if type(value) is ExpiringHash else None
    for member, extra in entries:
        if hidden is not None and is_due(c.db, hidden, member):
            continue
        if match is None or match(member):
            out.append(member)
            if show is not None:
                out.append(show(extra))
    return scan_reply(cursor, out)
