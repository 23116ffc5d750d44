"""Choosing a random key of a table.

A Python dict can be walked, not indexed, so its n-th entry costs n steps.  Hence a guess: a random part and a
random slot of its entry array either hold an entry or don't, and each entry has the same chance, whatever the
parts' sizes.  Compiled, a slot is looked at directly; uncompiled, the dict is walked up to it.
"""

from __future__ import annotations

from itertools import islice
from random import Random
from typing import Any

import cython

if cython.compiled:
    from cython.cimports.cpython.dict import PyDict_Next  # type: ignore
    from cython.cimports.cpython.ref import PyObject  # type: ignore

SLOTS = 1365
"""Entries, deleted ones included, that the dict of a table's part has room for: two thirds of 2048 slots."""
FEW = 24
"""In a single dict of so many entries walking is the shorter way."""
GUESSES = 64

# C's copies of the constants, declared in the .pxd.
_slots = SLOTS
_guesses = GUESSES
# A linear congruential generator of 64 bits (Knuth's MMIX), begun anew for each key with true randomness.
_multiplier = 6364136223846793005
_increment = 1442695040888963407
_mask = (1 << 64) - 1
_low = (1 << 32) - 1


def random_of(parts: list[dict[bytes, Any]], rng: Random) -> bytes:
    """Return a random key out of the dicts of a table that isn't empty, each with (nearly) the same chance."""
    count = len(parts)
    part: dict[bytes, Any] = parts[0]
    if count > 1 or len(part) > FEW:
        x = rng.getrandbits(63)
        for _ in range(_guesses):
            x = (x * _multiplier + _increment) & _mask  # the upper half chooses the dict, the lower half the slot
            y = x ^ (x >> 29)
            part = parts[(y >> 32) * count >> 32]
            key = at_slot(part, (y & _low) * _slots >> 32)
            if key is not None:
                return key
    while not part:
        part = parts[int(rng.random() * count)]
    return next(islice(part, int(rng.random() * len(part)), None))


def at_slot(part: dict[bytes, Any], slot: int) -> bytes | None:
    """Return the key of a slot of the entry array, or None when no entry is there."""
    if cython.compiled:
        position: cython.Py_ssize_t = slot
        key: cython.pointer(PyObject) = cython.NULL  # type: ignore[valid-type]
        if PyDict_Next(part, cython.address(position), cython.address(key), cython.NULL) and position == slot + 1:
            return cython.cast(object, key)  # type: ignore[no-any-return]
        return None
    return next(islice(part, slot, None)) if slot < len(part) else None
