"""HyperLogLog commands (https://redis.io/commands/?group=hyperloglog); the algorithm is in engine/values/hll.py."""

from __future__ import annotations

from math import ceil, sqrt

import cython

from kvserver.engine.commands.strings.bits import Raw, as_string
from kvserver.engine.commands.strings.strings import mutable
from kvserver.engine.keys.keyspace import EV_STRING, EXPIRE_HIDE, Db
from kvserver.engine.run.session import Session
from kvserver.engine.values import hll, hll_estimate
from kvserver.errors import CommandError
from kvserver.wire.resp import OK, ONE, ZERO, array, bulk, integer, simple

if cython.compiled:
    from cython.cimports.kvserver.engine.values.hll import add, invalidate, is_valid  # type: ignore
else:
    from kvserver.engine.values.hll import add, invalidate, is_valid

_NOT_ONE = "WRONGTYPE Key is not a valid HyperLogLog string value."
_CORRUPTED = "INVALIDOBJ Corrupted HLL object detected"
_FEW = 5
"""Up to so many arguments marks don't pay."""
_TEST_CYCLES = 2
_TEST_ELEMENTS = 10_000


def as_hll(value: object) -> Raw | None:
    """Return a looked-up value as a HyperLogLog; None stays None.

    Raises:
        CommandError: it isn't one.
    """
    raw = as_string(value)
    if raw is not None and not is_valid(raw):
        raise CommandError(_NOT_ONE)
    return raw


def pfadd(c: Session, a: list[bytes]) -> bytes:
    """PFADD key [element …]."""
    db = c.db
    value = db.lookup_write(a[1])
    updated = 0
    if type(value) is bytearray and is_valid(value):
        raw = value
    else:
        raw = _writable(db, a[1], value)
        updated = 1 if value is None else 0
    sparse_max = db.state.limits.hll_sparse
    n = len(a)
    damage = False
    marks = hll.Marks() if n > _FEW else None
    i = 2
    try:
        while i < n:
            if add(raw, a[i], sparse_max, marks):
                updated += 1
            i += 1
    except hll.CorruptedError:
        damage = True
    if updated:
        invalidate(raw)
        db.changed(a[1], EV_STRING, b"pfadd")
        db.state.dirty += updated - 1
    if damage:
        raise CommandError(_CORRUPTED)
    return ONE if updated else ZERO


def _writable(db: Db, key: bytes, value: object) -> bytearray:
    """Return what a key holds, a new HyperLogLog for nothing, in the form that can be changed in place."""
    known = as_hll(value)
    raw = hll.empty() if known is None else mutable(known, 0, db.state.limits)
    if raw is not known:
        db.put(key, raw, True)
    return raw


def _merged(c: Session, keys: list[bytes]) -> tuple[bytes, bool]:
    """Return (the union of all keys' registers, whether one of them is dense)."""
    numbers = bytes(hll.REGISTERS)
    dense = False
    for key in keys:
        raw = as_hll(c.db.lookup(key))
        if raw is not None:
            dense = dense or raw[4] == hll.DENSE
            numbers = _checked_merge(numbers, raw)
    return numbers, dense


def _checked_merge(numbers: bytes, raw: Raw) -> bytes:
    try:
        return hll.merge(numbers, raw)
    except hll.CorruptedError:
        raise CommandError(_CORRUPTED) from None


def pfcount(c: Session, a: list[bytes]) -> bytes:
    """PFCOUNT key [key …]. Of a single key the estimate is kept in its string, and so this may be a change."""
    if len(a) > 2:
        return _signed(hll_estimate.estimate(hll.histogram_of(_merged(c, a[1:])[0])))
    db = c.db
    raw = as_hll(db.lookup(a[1]))
    if raw is None:
        return ZERO
    known = hll.cached(raw)
    if known is not None:
        return _signed(known)
    try:
        known = hll_estimate.estimate(hll.histogram(raw))
    except hll.CorruptedError:
        raise CommandError(_CORRUPTED) from None
    if db.state.expire_mode != EXPIRE_HIDE:  # reading changes nothing on a replica, nor while writes are held
        kept = mutable(db.lookup_write(a[1]), 0, db.state.limits)
        kept[8:16] = known.to_bytes(8, "little")
        if kept is not raw:
            db.put(a[1], kept, True)
        db.changed(a[1], 0, b"")
        db.state.instead(db.index, a)
    return _signed(known)


def _signed(estimate: int) -> bytes:
    """Encode an estimate, an unsigned number that is replied as a signed one."""
    return integer(estimate if estimate < 1 << 63 else estimate - (1 << 64))


def pfmerge(c: Session, a: list[bytes]) -> bytes:
    """PFMERGE destkey [sourcekey …]."""
    numbers, dense = _merged(c, a[1:])
    db = c.db
    raw = _writable(db, a[1], db.lookup_write(a[1]))
    if dense:
        raw[:] = hll.dense_of(numbers, raw)
    else:
        marks = hll.Marks()
        for index, number in enumerate(numbers):
            if number:
                hll.raise_register(raw, index, number, db.state.limits.hll_sparse, marks)
    invalidate(raw)
    db.changed(a[1], EV_STRING, b"pfadd")
    return OK


def pfdebug(c: Session, a: list[bytes]) -> bytes:
    """PFDEBUG GETREG|DECODE|ENCODING|TODENSE key."""
    value = as_hll(c.db.lookup_write(a[2]))
    if value is None:
        raise CommandError("ERR The specified key does not exist")
    run = _DEBUG.get(a[1].lower())
    if run is None:
        raise CommandError(b"ERR Unknown PFDEBUG subcommand '%b'" % a[1])
    if len(a) != 3:
        raise CommandError(b"ERR Wrong number of arguments for the '%b' subcommand" % a[1])
    raw = mutable(value, 0, c.db.state.limits)
    if raw is not value:
        c.db.put(a[2], raw, True)
    try:
        return run(c, raw)
    except hll.CorruptedError:
        raise CommandError(_CORRUPTED) from None


def _getreg(c: Session, raw: bytearray) -> bytes:
    _to_dense(c, raw)
    return array([integer(number) for number in hll.registers(raw)])


def _to_dense(c: Session, raw: bytearray) -> bytes:
    if raw[4] == hll.DENSE:
        return ZERO
    hll.make_dense(raw)
    c.db.state.dirty += 1
    return ONE


def _decode(c: Session, raw: bytearray) -> bytes:
    if raw[4] != hll.SPARSE:
        raise CommandError("ERR HLL encoding is not sparse")
    return bulk(hll.describe(raw))


def _encoding(c: Session, raw: bytearray) -> bytes:
    return simple("sparse" if raw[4] == hll.SPARSE else "dense")


_DEBUG = {b"getreg": _getreg, b"decode": _decode, b"encoding": _encoding, b"todense": _to_dense}


def pfselftest(c: Session, a: list[bytes]) -> bytes:
    """PFSELFTEST: registers are kept apart, both encodings agree, and the error is as small as it should be."""
    rng, sparse_max = c.db.state.rng, c.db.state.limits.hll_sparse
    for _ in range(_TEST_CYCLES):
        numbers = bytes(rng.choices(range(64), k=hll.REGISTERS))
        if hll.registers(hll.dense_of(numbers, hll.empty())) != numbers:
            raise CommandError("ERR TESTFAILED Register is not what it should be")
    seed = rng.getrandbits(64)
    dense, other = hll.empty(), hll.empty()
    hll.make_dense(dense)
    checkpoint = 1
    for j in range(1, _TEST_ELEMENTS + 1):
        element = (j ^ seed).to_bytes(8, "little")
        hll.add(dense, element, sparse_max)
        hll.add(other, element, sparse_max)
        if j == checkpoint:
            _check(j, dense, other, sparse_max)
            checkpoint *= 10
    return OK


def _check(count: int, dense: bytearray, other: bytearray, sparse_max: int) -> None:
    if count < sparse_max // 2 and other[4] != hll.SPARSE:
        raise CommandError("ERR TESTFAILED sparse encoding not used")
    found = hll_estimate.estimate(hll.histogram(dense))
    if found != hll_estimate.estimate(hll.histogram(other)):
        raise CommandError("ERR TESTFAILED dense/sparse disagree")
    most = 1 if count == 10 else ceil(1.04 / sqrt(hll.REGISTERS) * 6 * count)
    if abs(count - found) > most:
        raise CommandError(f"ERR TESTFAILED Too big error. card:{count} abserr:{abs(count - found)}")


HANDLERS = {
    "PFADD": pfadd,
    "PFCOUNT": pfcount,
    "PFDEBUG": pfdebug,
    "PFMERGE": pfmerge,
    "PFSELFTEST": pfselftest,
}
