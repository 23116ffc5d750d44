"""How many bytes a stream's entries would take in Redis's listpacks, which decide what stands in one node."""

from __future__ import annotations

import cython

_HALF = 1 << 63


def number_bytes(number: int) -> int:
    """Bytes that an integer of 64 bits takes in a listpack, its length at the end included."""
    if 0 <= number <= 127:
        return 2
    if number < 0:
        number = -1 - number
    if number < 1 << 15:
        return 3 if number < 1 << 12 else 4
    if number < 1 << 31:
        return 5 if number < 1 << 23 else 6
    return 10


def distance_bytes(number: int, base: int) -> int:
    """Bytes that the difference of two unsigned numbers takes in a listpack: 64 bits of it, which have a sign."""
    difference = number - base
    if not cython.compiled:
        difference = (difference + _HALF) % (2 * _HALF) - _HALF
    return number_bytes(difference)


def element_bytes(raw: bytes) -> int:
    """Bytes that a string takes in a listpack, about: digits may be held as an integer, which is shorter."""
    size = len(raw)
    if size < 64:
        if size == 0 or size > 19:
            return size + 2
        negative = raw[0] == 45
        i = 1 if negative else 0
        if i == size:
            return 3
        number = 0
        while i < size:
            digit = raw[i] - 48
            if digit < 0 or digit > 9:
                return size + 2
            number = number * 10 + digit
            i += 1
        return 10 if size > 18 else number_bytes(-number if negative else number)
    size += 2 if size < 4096 else 5
    return size + (1 if size <= 127 else 2 if size < 16384 else 3 if size < 2097152 else 4)


def elements_bytes(elements: list[bytes]) -> int:
    """Bytes that strings take in a listpack, about."""
    size = 0
    for raw in elements:
        size += element_bytes(raw)
    return size


def has_fields(flat: list[bytes], fields: list[bytes]) -> bool:
    """Whether field, value, field, value … has just these fields."""
    n = len(fields)
    if 2 * n != len(flat):
        return False
    for i in range(n):
        mine: bytes = flat[2 * i]
        theirs: bytes = fields[i]
        if mine != theirs:
            return False
    return True


def text_bytes(elements: list[bytes]) -> int:
    """The length of all strings together."""
    size = 0
    for raw in elements:
        size += len(raw)
    return size
