"""LOLWUT: a drawing, and the version at its end, which is all that programs read of it."""

from __future__ import annotations

from random import Random

from kvserver.config import REDIS_VERSION
from kvserver.engine.run.session import Session
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import verbatim

COLUMNS, ROWS = 66, 12
MAX_COLUMNS, MAX_ROWS = 200, 100
_TILES = "╱╲"


def draw(columns: int, rows: int, rng: Random) -> str:
    """A maze of diagonals that straightens towards the bottom."""
    lines = []
    for row in range(rows):
        disorder = 1 - row / rows
        lines.append("".join(_TILES[(column + row) % 2 ^ (rng.random() < disorder / 2)] for column in range(columns)))
    return "\n".join(lines)


def lolwut(c: Session, a: list[bytes]) -> bytes:
    """LOLWUT [VERSION version [columns [rows]]]."""
    numbers = a[1:]
    if len(a) > 2 and a[1].upper() == b"VERSION":
        parse_int(a[2])
        numbers = a[3:]
    sizes = [parse_int(raw) for raw in numbers[:2]]
    columns = min(max(1, sizes[0] if sizes else COLUMNS), MAX_COLUMNS)
    rows = min(max(1, sizes[1] if len(sizes) > 1 else ROWS), MAX_ROWS)
    drawing = draw(columns, rows, c.engine.state.rng)
    return verbatim(f"{drawing}\n\nUnderstudy. Redis ver. {REDIS_VERSION}\n".encode(), c.resp)


HANDLERS = {"LOLWUT": lolwut}
