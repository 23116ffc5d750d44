"""Making a story that fails shorter: with fewer faults, fewer clients, one half, as long as it still fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from simulation.whole.blocks import run
from simulation.whole.story import Options, Result

Prepare = Callable[[], None]


def shorten(result: Result, options: Options, seconds: float, prepare: Prepare) -> tuple[Options, Result]:
    """The shortest that was found in that time, and what came of it."""
    end_s = time.monotonic() + seconds
    found, shown = options, result
    smaller = True
    while smaller:
        smaller = False
        for trial in _smaller(found):
            if time.monotonic() > end_s:
                return found, shown
            tried = next(run([result.seed], trial, prepare=prepare))
            if tried.failure:
                found, shown, smaller = trial, tried, True
                break
    return found, shown


def _smaller(options: Options) -> Iterator[Options]:
    """What to try next, the boldest first."""
    if options.halves > 1:
        yield replace(options, halves=1, skip=frozenset(n for n in options.skip if n < options.strikes))
    for strikes in {options.strikes // 2, options.strikes * 3 // 4, options.strikes - 1} - {0, options.strikes}:
        if options.halves == 1:
            yield replace(options, strikes=strikes, skip=frozenset(n for n in options.skip if n < strikes))
    for clients in range(1, min(options.clients, 5)):
        yield replace(options, clients=clients)
    left = [number for number in range(options.strikes * options.halves) if number not in options.skip]
    for size in (len(left) // 2, len(left) // 4, 1):
        for at in range(0, len(left), size) if size else ():
            yield replace(options, skip=options.skip | set(left[at : at + size]))
