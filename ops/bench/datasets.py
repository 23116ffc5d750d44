"""Data to fill a server with, as chunks of encoded requests. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

CHUNK = 1000
"""Requests sent between two waits for the server."""
SMALL = 10
"""Elements of a small aggregate."""
ARGS_MAX = 100
"""Elements added to a big aggregate by one request."""


def encode(*args: bytes) -> bytes:
    """One request."""
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args)


def chunked(requests: Iterator[bytes], size: int = CHUNK) -> Iterator[bytes]:
    """Join requests to chunks."""
    batch: list[bytes] = []
    for request in requests:
        batch.append(request)
        if len(batch) == size:
            yield b"".join(batch)
            batch = []
    if batch:
        yield b"".join(batch)


def strings(count: int) -> Iterator[bytes]:
    """String keys of 16 bytes with values of 16 bytes."""
    return (encode(b"SET", b"key:%012d" % i, b"value:%010d" % i) for i in range(count))


def expiring(count: int, when_ms: int) -> Iterator[bytes]:
    """String keys that all expire at the same moment (Unix milliseconds)."""
    at = b"%d" % when_ms
    return (encode(b"SET", b"exp:%012d" % i, b"value:%010d" % i, b"PXAT", at) for i in range(count))


def _hash(numbers: range) -> list[bytes]:
    return [word for i in numbers for word in (b"field:%06d" % i, b"value:%06d" % i)]


def _members(numbers: range) -> list[bytes]:
    return [b"member:%06d" % i for i in numbers]


def _integers(numbers: range) -> list[bytes]:
    return [b"%d" % (i * 37) for i in numbers]


def _scored(numbers: range) -> list[bytes]:
    return [word for i in numbers for word in (b"%d" % (i * 7919 % 1_000_003), b"member:%06d" % i)]


@dataclass(frozen=True)
class Aggregate:
    """How an aggregate type is filled."""

    command: bytes
    words: Callable[[range], list[bytes]]


AGGREGATES = {
    "list": Aggregate(b"RPUSH", _members),
    "hash": Aggregate(b"HSET", _hash),
    "set of integers": Aggregate(b"SADD", _integers),
    "set": Aggregate(b"SADD", _members),
    "sorted set": Aggregate(b"ZADD", _scored),
}


def small(kind: str, keys: int) -> Iterator[bytes]:
    """So many small aggregates of one type."""
    make = AGGREGATES[kind]
    for i in range(keys):
        start = i * SMALL % 900_000
        yield encode(make.command, b"small:%010d" % i, *make.words(range(start, start + SMALL)))


def streams(keys: int) -> Iterator[bytes]:
    """So many streams of `SMALL` entries with one field."""
    for i in range(keys):
        for n in range(SMALL):
            yield encode(b"XADD", b"small:%010d" % i, b"%d-1" % (n + 1), b"field", b"value:%06d" % n)


def big(kind: str, elements: int, key: bytes = b"big") -> Iterator[bytes]:
    """One aggregate of so many elements."""
    make = AGGREGATES[kind]
    for start in range(0, elements, ARGS_MAX):
        yield encode(make.command, key, *make.words(range(start, min(start + ARGS_MAX, elements))))
