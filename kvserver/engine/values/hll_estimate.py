"""How many different elements a HyperLogLog has seen, from how many of its registers hold which number.

O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches".
"""

from __future__ import annotations

import math

from kvserver.engine.values.hll import LONGEST, REGISTERS

_ALPHA = 0.721347520444481703680  # 0.5 / ln 2

BEYOND = 1 << 63
"""The estimate of registers that no elements can have made, as C rounds infinity on common machines."""


def estimate(counts: list[int]) -> int:
    """Estimate how many different elements were added, from a histogram of the registers."""
    m = float(REGISTERS)
    z = m * _tau((m - counts[LONGEST]) / m)
    for j in range(LONGEST - 1, 0, -1):
        z = (z + counts[j]) * 0.5
    z += m * _sigma(counts[0] / m)
    return math.floor(_ALPHA * m * m / z + 0.5) if z else BEYOND


def _sigma(x: float) -> float:
    if x == 1.0:
        return math.inf
    y, z = 1.0, x
    while True:
        x *= x
        before = z
        z += x * y
        y += y
        if before == z:
            return z


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, z = 1.0, 1 - x
    while True:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= (1 - x) ** 2 * y
        if before == z:
            return z / 3
