# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False
"""Reading the value of a key: which type number means what.

Two tables. A type whose value is one string (a number, text, or a packed collection) is read whole; a type
that counts its elements becomes a `Part`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from persistence.rdb import listpack, opcodes as op
from persistence.rdb.errors import RdbError, Short
from persistence.rdb.model import HASH, LIST, SET, STREAM, STRING, ZSET
from persistence.rdb.read.builders import Builders
from persistence.rdb.read.compact import decode_intset, decode_ziplist, decode_zipmap
from persistence.rdb.read.partial import (
    ExpiringHashPart,
    HashPart,
    ListPart,
    Part,
    Quicklist2Part,
    QuicklistPart,
    SetPart,
    TextZsetPart,
    ZsetPart,
    placed,
)
from persistence.rdb.read.reader import Reader
from persistence.rdb.read.streams import StreamPart

_MODULE_NAME = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_INTSET = "Intset"
_SET_LISTPACK = "Set listpack"
_ZIPMAP = "Zipmap"
_HASH_ZIPLIST = "Hash ziplist"
_HASH_LISTPACK = "Hash listpack"
_ZSET_ZIPLIST = "Zset ziplist"
_ZSET_LISTPACK = "Zset listpack"


def _string(r: Reader, b: Builders, raw: bytes) -> Any:
    return b.string(raw)


def _list_ziplist(r: Reader, b: Builders, blob: bytes) -> Any:
    value = b.list()
    for element in placed(r, decode_ziplist, blob, "List ziplist"):
        value.push_tail(element)
    return value if len(value) else None


def _members(r: Reader, b: Builders, members: list[bytes], what: str) -> Any:
    unique: dict[bytes, None] = dict.fromkeys(members)
    if len(unique) != len(members):
        raise r.error(f"{what} integrity check failed: duplicate member")
    return b.small_set(unique) if unique else None


def _set_intset(r: Reader, b: Builders, blob: bytes) -> Any:
    return _members(r, b, placed(r, decode_intset, blob, _INTSET), _INTSET)


def _set_listpack(r: Reader, b: Builders, blob: bytes) -> Any:
    return _members(r, b, placed(r, listpack.decode, blob, _SET_LISTPACK), _SET_LISTPACK)


def _fields(r: Reader, b: Builders, flat: list[bytes], what: str) -> Any:
    fields = dict(zip(flat[::2], flat[1::2], strict=False))
    if len(fields) * 2 != len(flat):
        raise r.error(f"{what} integrity check failed: duplicate field, or field without a value")
    return b.small_hash(fields) if fields else None


def _hash_zipmap(r: Reader, b: Builders, blob: bytes) -> Any:
    return _fields(r, b, placed(r, decode_zipmap, blob, _ZIPMAP), _ZIPMAP)


def _hash_ziplist(r: Reader, b: Builders, blob: bytes) -> Any:
    return _fields(r, b, placed(r, decode_ziplist, blob, _HASH_ZIPLIST), _HASH_ZIPLIST)


def _hash_listpack(r: Reader, b: Builders, blob: bytes) -> Any:
    return _fields(r, b, placed(r, listpack.decode, blob, _HASH_LISTPACK), _HASH_LISTPACK)


def _scores(r: Reader, b: Builders, flat: list[bytes], what: str) -> Any:
    score = r.score
    scores = {member: score(text) for member, text in zip(flat[::2], flat[1::2], strict=False)}
    if len(scores) * 2 != len(flat):
        raise r.error(f"{what} integrity check failed: duplicate member, or member without a score")
    return b.small_zset(scores) if scores else None


def _zset_ziplist(r: Reader, b: Builders, blob: bytes) -> Any:
    return _scores(r, b, placed(r, decode_ziplist, blob, _ZSET_ZIPLIST), _ZSET_ZIPLIST)


def _zset_listpack(r: Reader, b: Builders, blob: bytes) -> Any:
    return _scores(r, b, placed(r, listpack.decode, blob, _ZSET_LISTPACK), _ZSET_LISTPACK)


BLOBS: dict[int, tuple[int, Callable[[Reader, Builders, bytes], Any]]] = {
    op.TYPE_STRING: (STRING, _string),
    op.TYPE_LIST_ZIPLIST: (LIST, _list_ziplist),
    op.TYPE_SET_INTSET: (SET, _set_intset),
    op.TYPE_SET_LISTPACK: (SET, _set_listpack),
    op.TYPE_HASH_ZIPMAP: (HASH, _hash_zipmap),
    op.TYPE_HASH_ZIPLIST: (HASH, _hash_ziplist),
    op.TYPE_HASH_LISTPACK: (HASH, _hash_listpack),
    op.TYPE_ZSET_ZIPLIST: (ZSET, _zset_ziplist),
    op.TYPE_ZSET_LISTPACK: (ZSET, _zset_listpack),
}


def _expiring_hash(r: Reader, b: Builders) -> Part:
    least = r.milliseconds()
    return ExpiringHashPart(r.length(), b.expiring_hash(), least)


def _packed_expiring_hash(r: Reader, b: Builders) -> Part:
    """The least expiry, and a listpack of field, value and expiry in turn: short by nature, so it is read whole."""
    least = r.milliseconds()
    flat = placed(r, listpack.decode, r.string(), _HASH_LISTPACK)
    value = b.expiring_hash()
    if len(flat) % 3:
        raise r.error("Hash field without a value or expiry")
    for field, content, ttl in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
        if not ttl.isdigit() or len(ttl) > 19 or int(ttl) > op.LATEST_MS:
            raise r.error("Hash field's expiry is not a time")
        if not value.put(field, content):
            raise r.error("Duplicate hash field")
        if int(ttl):
            value.expire_at(field, int(ttl))
    return ExpiringHashPart(0, value, least)


PARTS: dict[int, tuple[int, Callable[[Reader, Builders], Part]]] = {
    op.TYPE_LIST: (LIST, lambda r, b: ListPart(r.length(), b.list())),
    op.TYPE_SET: (SET, lambda r, b: SetPart(r.length(), b.set())),
    op.TYPE_HASH: (HASH, lambda r, b: HashPart(r.length(), b.hash())),
    op.TYPE_ZSET: (ZSET, lambda r, b: TextZsetPart(r.length(), b.zset())),
    op.TYPE_ZSET_2: (ZSET, lambda r, b: ZsetPart(r.length(), b.zset())),
    op.TYPE_LIST_QUICKLIST: (LIST, lambda r, b: QuicklistPart(r.length(), b.list())),
    op.TYPE_LIST_QUICKLIST_2: (LIST, lambda r, b: Quicklist2Part(r.length(), b.list())),
    op.TYPE_STREAM_LISTPACKS: (STREAM, lambda r, b: StreamPart(r.length(), 1, b)),
    op.TYPE_STREAM_LISTPACKS_2: (STREAM, lambda r, b: StreamPart(r.length(), 2, b)),
    op.TYPE_STREAM_LISTPACKS_3: (STREAM, lambda r, b: StreamPart(r.length(), 3, b)),
    op.TYPE_HASH_METADATA: (HASH, _expiring_hash),
    op.TYPE_HASH_LISTPACK_EX: (HASH, _packed_expiring_hash),
}


def unreadable(r: Reader, number: int) -> RdbError:
    """The error for a type that is in neither table."""
    if number in (op.TYPE_MODULE, op.TYPE_MODULE_2):
        module = r.length()
        name = "".join(_MODULE_NAME[module >> 10 + 6 * i & 63] for i in range(8, -1, -1))
        return r.error(f"A value of the module type '{name}' cannot be read: no such module is here")
    return r.error(f"Unknown value type {number}")


def read_value(r: Reader, builders: Builders, number: int) -> tuple[int, Any, dict[bytes, int] | None]:
    """Read one whole value of RDB type `number`: (kind, value or None when empty, expiring fields).

    Raises:
        RdbError: the value is corrupt, cut short, or of a type that cannot be read.
    """
    try:
        blob = BLOBS.get(number)
        if blob is not None:
            return blob[0], blob[1](r, builders, r.string()), None
        if number not in PARTS:
            raise unreadable(r, number)
        kind, begin = PARTS[number]
        part = begin(r, builders)
        while part.left > 0:
            part.step(r)
        return kind, part.finish(builders), builders.field_ttls(part.value)
    except Short:
        raise r.error("Value is cut short")
