"""DEBUG DIGEST and DIGEST-VALUE: a fingerprint of the data set, equal on any two servers that hold the same.

The algorithm is Redis's, byte for byte, so that a replica of another make can be compared. Unordered
things are combined by exclusive or of the SHA-1 of each element, ordered ones by hashing the running digest again.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha1
from typing import Any

from kvserver.engine.keys.keyspace import Db
from kvserver.engine.values.types import ExpiringHash, HashValue, ListValue, SetValue, ZSetValue, kind_of

TYPE_NUMBERS = {b"string": 0, b"list": 1, b"set": 2, b"zset": 3, b"hash": 4, b"stream": 6}
SIZE = 20
ZERO = 0
_EXPIRES = b"!!expire!!"
_FIELD_EXPIRES = b"!!hexpire!!"


def xor(digest: int, data: bytes) -> int:
    """Combine where the order of what is combined doesn't matter."""
    return digest ^ int.from_bytes(sha1(data, usedforsecurity=False).digest(), "big")


def mix(digest: int, data: bytes) -> int:
    """Combine where the order matters."""
    mixed = sha1(xor(digest, data).to_bytes(SIZE, "big"), usedforsecurity=False).digest()
    return int.from_bytes(mixed, "big")


def mix_all(digest: int, parts: Iterable[bytes]) -> int:
    """Combine several parts in order."""
    for part in parts:
        digest = mix(digest, part)
    return digest


def hexadecimal(digest: int) -> str:
    """The digest as the commands reply it."""
    return digest.to_bytes(SIZE, "big").hex()


def of_value(value: Any, expires: bool, start: int = ZERO) -> int:
    """The digest of a value and of whether its key has a time to live, mixed into `start`."""
    digest = mix(start, TYPE_NUMBERS[kind_of(value)].to_bytes(4, "big"))
    if isinstance(value, bytes | bytearray):
        digest = mix(digest, bytes(value))
    elif isinstance(value, ListValue):
        digest = mix_all(digest, value)
    elif isinstance(value, SetValue):
        for member in value:
            digest = xor(digest, member)
    elif isinstance(value, ZSetValue):
        for member, score in value.items():
            digest = xor(digest, mix_all(ZERO, (member, b"%.17g" % score)).to_bytes(SIZE, "big"))
    elif isinstance(value, HashValue):
        ttls = value.ttls if isinstance(value, ExpiringHash) else ()
        for field, content in value.items():
            entry = mix_all(ZERO, (field, bytes(content)))
            entry = xor(entry, _FIELD_EXPIRES) if field in ttls else entry
            digest = xor(digest, entry.to_bytes(SIZE, "big"))
    else:
        digest = mix_all(digest, value.digest_parts())
    return xor(digest, _EXPIRES) if expires else digest


def of_key(db: Db, key: bytes) -> int:
    """The digest of the value of a key, expired or not; zero for none."""
    value = db.keys.get(key)
    return ZERO if value is None else of_value(value, db.keys.expiry(key) >= 0)


def of_databases(dbs: Iterable[Db]) -> int:
    """The digest of everything."""
    final = ZERO
    for db in dbs:
        if not len(db.keys):
            continue
        final = mix(final, db.index.to_bytes(4, "big"))
        for key, value in db.keys.items():
            digest = of_value(value, db.keys.expiry(key) >= 0, mix(ZERO, key))
            final = xor(final, digest.to_bytes(SIZE, "big"))
    return final
