"""Tables: rows of text, drawn on a terminal or written as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from ops.bench.results import SUMMARY_TESTS, Comparison, summary


@dataclass(frozen=True)
class Sheet:
    """A table before it is drawn; the first column holds names, the others numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def as_table(self) -> Table:
        """For a terminal."""
        table = Table(title=self.title, title_justify="left")
        for number, name in enumerate(self.columns):
            table.add_column(name, justify="right" if number else "left", no_wrap=True)
        for row in self.rows:
            table.add_row(*row)
        return table

    def as_markdown(self) -> str:
        """For a README."""
        lines = [self.columns, tuple(":--" if not n else "--:" for n in range(len(self.columns))), *self.rows]
        return f"{self.title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def throughput_sheet(comparisons: Sequence[Comparison], title: str) -> Sheet:
    """Ratio to Redis of each test (smallest and largest round behind it), and the geometric means.

    The last row compares processor time per request, which other work on the machine doesn't change.
    """
    depths = sorted({c.pipeline for c in comparisons})
    cells = {(c.test, c.pipeline): _cell(c) for c in comparisons}
    tests = list(dict.fromkeys(c.test for c in comparisons))
    rows = [(test, *(cells.get((test, depth), "") for depth in depths)) for test in tests]
    count = sum(test in SUMMARY_TESTS for test in tests)
    for name, means in (
        (f"geometric mean of {count}", summary(comparisons)),
        ("the same by processor time", summary(comparisons, lambda c: c.cpu_ratio)),
    ):
        if any(means.values()):
            rows.append((name, *(f"{means[depth]:.2f}" if depth in means else "" for depth in depths)))
    return Sheet(title, ("test", *(f"pipeline {depth}" for depth in depths)), tuple(rows))


def type_row(comparisons: Sequence[Comparison | None]) -> tuple[str, ...]:
    """Two cells per pipeline depth: the ratio with the rates, the ratio by processor time."""
    cells: list[str] = []
    for c in comparisons:
        cells += ("", "") if c is None else (_cell(c), f"{c.cpu_ratio:.2f}")
    return tuple(cells)


def _cell(c: Comparison) -> str:
    low, high = c.spread
    ours, theirs = c.rates
    return f"{c.ratio:.2f} ({low:.2f}–{high:.2f}) {_thousands(ours)}/{_thousands(theirs)}"


def _thousands(rate: float) -> str:
    return f"{rate / 1000:.0f}k"
