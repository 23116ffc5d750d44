# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False
"""Collections while they are being read.

A part knows how many elements are `left` and reads one in `step`; reading comes first and changes follow,
so that a step which ran short can be repeated when more input is there. `value` is what has been built.
"""

from __future__ import annotations

from typing import Any

from persistence.rdb import listpack
from persistence.rdb.errors import RdbError
from persistence.rdb.opcodes import (
    LATEST_MS,
    MODULE_DOUBLE,
    MODULE_EOF,
    MODULE_FLOAT,
    MODULE_SINT,
    MODULE_STRING,
    MODULE_UINT,
    NODE_PACKED,
    NODE_PLAIN,
)
from persistence.rdb.read.builders import Builders
from persistence.rdb.read.compact import decode_ziplist
from persistence.rdb.read.reader import Reader


class Part:
    """`left` elements of `value` are still to be read."""

    def __init__(self, left: int, value: Any) -> None:
        self.left = left
        self.value = value

    def step(self, r: Reader) -> None:
        """Read one element."""
        raise NotImplementedError

    def finish(self, builders: Builders) -> Any:
        """The whole value, None if it turned out empty."""
        return builders.finished(self.value) if len(self.value) else None


class ListPart(Part):
    """Strings."""

    def step(self, r: Reader) -> None:
        """Read one element."""
        self.value.push_tail(r.string())
        self.left -= 1


class SetPart(Part):
    """Strings, each once."""

    def step(self, r: Reader) -> None:
        """Read one member. Raises RdbError when it is there already."""
        if not self.value.add(r.string()):
            raise r.error("Duplicate set member")
        self.left -= 1


class HashPart(Part):
    """Field and value in turn."""

    def step(self, r: Reader) -> None:
        """Read one field and its value. Raises RdbError when the field is there already."""
        field = r.string()
        if not self.value.put(field, r.string()):
            raise r.error("Duplicate hash field")
        self.left -= 1


class ZsetPart(Part):
    """Member and score in binary."""

    def step(self, r: Reader) -> None:
        """Read one member and its score, eight bytes of a double."""
        member = r.string()
        _put_score(r, self.value, member, r.binary_double())
        self.left -= 1


class TextZsetPart(Part):
    """Member and score in text."""

    def step(self, r: Reader) -> None:
        """Read one member and its score, written as text."""
        member = r.string()
        _put_score(r, self.value, member, r.text_double())
        self.left -= 1


def _put_score(r: Reader, value: Any, member: bytes, score: float) -> None:
    if score != score:
        raise r.error("Score is not a number")
    if not value.put(member, score):
        raise r.error("Duplicate sorted set member")


class QuicklistPart(Part):
    """Nodes, each a ziplist."""

    def step(self, r: Reader) -> None:
        """Read one node, a ziplist. Raises RdbError when that is damaged."""
        blob = r.string()
        _extend(r, self.value, placed(r, decode_ziplist, blob, "Quicklist ziplist"))
        self.left -= 1


class Quicklist2Part(Part):
    """Nodes, each a listpack or one plain element."""

    def step(self, r: Reader) -> None:
        """Read one node: a big element, or a listpack. Raises RdbError when it is empty, damaged or unknown."""
        container = r.length()
        blob = r.string()
        if not blob:
            raise r.error("Empty quicklist node")
        if container == NODE_PLAIN:
            self.value.push_tail(blob)
        elif container == NODE_PACKED:
            _extend(r, self.value, placed(r, listpack.decode, blob, "Quicklist listpack"))
        else:
            raise r.error(f"Unknown quicklist container {container}")
        self.left -= 1


def _extend(r: Reader, value: Any, elements: list[bytes]) -> None:
    push = value.push_tail
    for element in elements:
        push(element)


class ExpiringHashPart(Part):
    """Time to live, field and value in turn: 0, or 1 + the ms after `least_ms`."""

    def __init__(self, left: int, value: Any, least_ms: int) -> None:
        super().__init__(left, value)
        self.least_ms = least_ms

    def step(self, r: Reader) -> None:
        """Read one field, when it expires (0: never) and its value. Raises RdbError for a time that can't be."""
        ttl = r.length()
        field = r.string()
        content = r.string()
        if ttl and not 0 <= self.least_ms + ttl - 1 <= LATEST_MS:
            raise r.error("Hash field's expiry is not a time")
        if not self.value.put(field, content):
            raise r.error("Duplicate hash field")
        if ttl:
            self.value.expire_at(field, self.least_ms + ttl - 1)
        self.left -= 1


class ModulePart(Part):
    """What a module left in the file beside the keys: read over, since no module is here to want it."""

    def step(self, r: Reader) -> None:
        """Read one of the module's values, and pass it over."""
        code = r.length()
        if code == MODULE_EOF:
            self.left = 0
        elif code in (MODULE_SINT, MODULE_UINT):
            r.length()
        elif code == MODULE_FLOAT:
            r.take(4)
        elif code == MODULE_DOUBLE:
            r.take(8)
        elif code == MODULE_STRING:
            r.string()
        else:
            raise r.error(f"Unknown module opcode {code}")


def placed(r: Reader, decode: Any, blob: bytes, what: str) -> Any:
    """Decode a blob that has just been read; an error in it says `what` it is, and is placed where the blob ends."""
    try:
        return decode(blob)
    except RdbError as e:
        place = f"{e.offset} bytes into a value that ends"
        raise RdbError(f"{what} integrity check failed: {e.reason}, {place}", r.base + r.pos)
