"""A small bar chart in characters, one column a sample, its label written downwards below."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 80
ROWS = 4
_TOPS = "_o#"
"""The top cell of a column, by how much of it is filled."""


def render(samples: Sequence[tuple[int, str]]) -> str:
    """Draw (value, label) samples scaled between their least and greatest value, WIDTH columns at a time."""
    low = min(value for value, _ in samples)
    span = max(value for value, _ in samples) - low or 1
    blocks = [
        _block([((value - low) / span, label) for value, label in samples[start : start + WIDTH]])
        for start in range(0, len(samples), WIDTH)
    ]
    return "\n".join(blocks)


def _block(columns: Sequence[tuple[float, str]]) -> str:
    levels = [round(height * (ROWS * len(_TOPS) - 1)) for height, _ in columns]
    lines = ["".join(_cell(level, row) for level in levels) for row in range(ROWS - 1, -1, -1)]
    depth = max(len(label) for _, label in columns)
    lines.append("")
    lines += ["".join(label.ljust(depth)[place] for _, label in columns) for place in range(depth)]
    return "".join(f"{text.rstrip()}\n" for text in lines)


def _cell(level: int, row: int) -> str:
    top, fill = divmod(level, len(_TOPS))
    if row > top:
        return " "
    return _TOPS[fill] if row == top else "|"
