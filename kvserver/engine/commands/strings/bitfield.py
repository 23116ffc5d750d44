"""BITFIELD: strings as arrays of integers of any width (https://redis.io/commands/bitfield/)."""

from __future__ import annotations

from dataclasses import dataclass

from kvserver.engine.commands.strings.bits import Raw, as_string, bit_offset, room_for
from kvserver.engine.keys.keyspace import EV_STRING
from kvserver.engine.run.session import Session
from kvserver.engine.values.limits import Limits
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.numbers import is_int, parse_int
from kvserver.wire.resp import array, integer, null

_BAD_TYPE = (
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
)
_UNSIGNED_64 = (1 << 64) - 1
_OPERANDS = {b"GET": 2, b"SET": 3, b"INCRBY": 3, b"OVERFLOW": 1}


@dataclass(slots=True)
class Step:
    """One thing to do: GET, SET or INCRBY a field of `width` bits at bit `offset`."""

    name: bytes
    signed: bool
    width: int
    offset: int
    number: int
    overflow: bytes


def field_type(raw: bytes) -> tuple[bool, int]:
    """Read a field's type, as i16 or u8; return (signed, bits)."""
    signed = raw[:1] == b"i"
    if (signed or raw[:1] == b"u") and is_int(raw[1:]) and 1 <= int(raw[1:]) <= (64 if signed else 63):
        return signed, int(raw[1:])
    raise CommandError(_BAD_TYPE)


def parse_steps(a: list[bytes], limits: Limits) -> list[Step]:
    """Read what stands behind the key."""
    steps: list[Step] = []
    overflow = b"WRAP"
    i = 2
    while i < len(a):
        name = a[i].upper()
        count = _OPERANDS.get(name)
        if count is None or i + count >= len(a):
            raise CommandError(SYNTAX)
        if name == b"OVERFLOW":
            overflow = a[i + 1].upper()
            if overflow not in (b"WRAP", b"SAT", b"FAIL"):
                raise CommandError("ERR Invalid OVERFLOW type specified")
        else:
            signed, width = field_type(a[i + 1])
            offset = bit_offset(a[i + 2], limits, width)
            number = parse_int(a[i + 3]) if count == 3 else 0
            steps.append(Step(name, signed, width, offset, number, overflow))
        i += count + 1
    return steps


def read_field(raw: Raw, step: Step) -> int:
    """Return a field's value; beyond the string's end all bits are zero."""
    behind = step.offset + step.width
    low, high = step.offset >> 3, (behind + 7) >> 3
    window = raw[low:high]
    number = int.from_bytes(window, "big") << 8 * (high - low - len(window))
    number = number >> (-behind & 7) & ((1 << step.width) - 1)
    if step.signed and number >> (step.width - 1):
        number -= 1 << step.width
    return number


def write_field(raw: bytearray, step: Step, value: int) -> None:
    """Store a field; the string is long enough."""
    behind = step.offset + step.width
    low, high = step.offset >> 3, (behind + 7) >> 3
    shift = -behind & 7
    mask = ((1 << step.width) - 1) << shift
    window = int.from_bytes(raw[low:high], "big") & ~mask | value << shift & mask
    raw[low:high] = window.to_bytes(high - low, "big")


def fitted(step: Step, value: int) -> int | None:
    """Return the value as it fits the field, by the rule for overflows; None: it isn't stored."""
    low, high = (-(1 << (step.width - 1)), (1 << (step.width - 1)) - 1) if step.signed else (0, (1 << step.width) - 1)
    if low <= value <= high:
        return value
    if step.overflow == b"FAIL":
        return None
    if step.overflow == b"SAT":
        return high if value > high else low
    return (value - low) % (1 << step.width) + low


def apply_step(raw: bytearray, step: Step) -> tuple[int | None, bool]:
    """Do one SET or INCRBY; return (what is replied, whether the field's value changed)."""
    old = read_field(raw, step)
    if step.name == b"INCRBY":
        new = fitted(step, old + step.number)
    else:
        new = fitted(step, step.number if step.signed else step.number & _UNSIGNED_64)
    if new is None:
        return None, False
    write_field(raw, step, new)
    return new if step.name == b"INCRBY" else old, new != old


def bitfield(c: Session, a: list[bytes]) -> bytes:
    """BITFIELD key [GET type offset | [OVERFLOW WRAP|SAT|FAIL] SET|INCRBY type offset value …]."""
    steps = parse_steps(a, c.db.state.limits)
    if all(step.name == b"GET" for step in steps):
        return _read_only(c, a[1], steps)
    db = c.db
    raw, grown = room_for(db, a[1], max(s.offset + s.width - 1 for s in steps if s.name != b"GET"))
    out: list[bytes] = []
    changes = 0
    for step in steps:
        if step.name == b"GET":
            out.append(integer(read_field(raw, step)))
            continue
        reply, changed = apply_step(raw, step)
        out.append(null(c.resp) if reply is None else integer(reply))
        if changed or (grown and reply is not None):
            changes += 1
    if changes:
        db.changed(a[1], EV_STRING, b"setbit")
        db.state.dirty += changes - 1
    elif grown:
        db.state.instead(db.index, a)  # all overflowed and failed, but the string is longer; to Redis no change
    return array(out)


def bitfield_ro(c: Session, a: list[bytes]) -> bytes:
    """BITFIELD_RO key [GET type offset …]."""
    steps = parse_steps(a, c.db.state.limits)
    if any(step.name != b"GET" for step in steps):
        raise CommandError("ERR BITFIELD_RO only supports the GET subcommand")
    return _read_only(c, a[1], steps)


def _read_only(c: Session, key: bytes, steps: list[Step]) -> bytes:
    raw = as_string(c.db.lookup(key)) or b""
    return array([integer(read_field(raw, step)) for step in steps])


HANDLERS = {"BITFIELD": bitfield, "BITFIELD_RO": bitfield_ro}
