"""DEBUG subcommands that show how values and tables are held: OBJECT, SDSLEN, LISTPACK, QUICKLIST, HTSTATS."""

from __future__ import annotations

import sys
from typing import Any

from kvserver.admin.context import admin_of
from kvserver.engine.commands.keys.object import encoding_of
from kvserver.engine.keys.table import Table
from kvserver.engine.run.session import Session
from kvserver.engine.store.key_table import KeyTable
from kvserver.engine.values.types import ListValue
from kvserver.errors import NO_KEY, CommandError
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import simple, verbatim


def _value(c: Session, key: bytes) -> Any:
    value = c.db.keys.get(key)
    if value is None:
        raise CommandError(NO_KEY)
    return value


def object_(c: Session, a: list[bytes]) -> bytes:
    """DEBUG OBJECT key."""
    value = _value(c, a[2])
    extra = ""
    if isinstance(value, ListValue):
        nodes, size = len(value.chunks), sum(map(len, value))
        extra = (
            f" ql_nodes:{nodes} ql_avg_node:{len(value) / nodes:.2f} "
            f"ql_listpack_max:{admin_of(c).config.list_max_listpack_size} ql_compressed:0 "
            f"ql_uncompressed_size:{size}"
        )
    return simple(
        f"Value at:{id(value):#x} refcount:1 encoding:{encoding_of(value).decode()} "
        f"serializedlength:{c.engine.services.persistence.serialized_length(value)} lru:0 lru_seconds_idle:0{extra}"
    )


def sdslen(c: Session, a: list[bytes]) -> bytes:
    """DEBUG SDSLEN key."""
    value = _value(c, a[2])
    if not isinstance(value, bytes | bytearray) or encoding_of(value) == b"int":
        raise CommandError("ERR Not an sds encoded string.")
    spare = value.__alloc__() - 1 - len(value) if isinstance(value, bytearray) else 0
    return simple(
        f"key_sds_len:{len(a[2])}, key_sds_avail:0, key_zmalloc: {sys.getsizeof(a[2])}, "
        f"val_sds_len:{len(value)}, val_sds_avail:{max(0, spare)}, val_zmalloc: {sys.getsizeof(value)}"
    )


def listpack(c: Session, a: list[bytes]) -> bytes:
    """DEBUG LISTPACK key: writes the elements to the log."""
    value = _value(c, a[2])
    if encoding_of(value) != b"listpack":
        raise CommandError("ERR Not a listpack encoded object.")
    admin_of(c).node.log.warning("listpack", key=a[2], entries=[*value.items()])
    return simple("Listpack structure printed on stdout")


def quicklist(c: Session, a: list[bytes]) -> bytes:
    """DEBUG QUICKLIST key [0|1]: writes the nodes to the log."""
    value = _value(c, a[2])
    if not isinstance(value, ListValue):
        raise CommandError("ERR Not a quicklist encoded object.")
    admin_of(c).node.log.warning("quicklist", key=a[2], nodes=[len(chunk) for chunk in value.chunks])
    return simple("Quicklist structure printed on stdout")


def htstats(c: Session, a: list[bytes]) -> bytes:
    """DEBUG HTSTATS database."""
    index = parse_int(a[2])
    if not 0 <= index < len(c.engine.dbs):
        raise CommandError("ERR Out of range database")
    db = c.engine.dbs[index]
    text = f"[Dictionary HT]\n{describe(db.keys)}[Expires HT]\n number of elements: {db.keys.expiring}\n"
    return verbatim(text.encode(), c.resp)


def htstats_key(c: Session, a: list[bytes]) -> bytes:
    """DEBUG HTSTATS-KEY key."""
    value = _value(c, a[2])
    if not isinstance(value, Table) or encoding_of(value) not in (b"hashtable", b"skiplist"):
        raise CommandError("ERR The value stored at the specified key is not represented using an hash table")
    return verbatim(describe(value).encode(), c.resp)


def describe(table: Table | KeyTable) -> str:
    """A table's parts, in words."""
    head = "Hash table 0 stats (main hash table):\n"
    if not len(table):
        return head + "No stats available for empty dictionaries\n"
    sizes = sorted(table.sizes())
    return (
        f"{head} table size: {len(sizes)}\n number of elements: {len(table)}\n"
        f" smallest part: {sizes[0]}\n median part: {sizes[len(sizes) // 2]}\n largest part: {sizes[-1]}\n"
    )
