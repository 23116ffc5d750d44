"""Search for a while: ``python -m simulation.quorum --seconds 60 [--seed N] [--compare] [--break RULE] [--table]``."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from random import SystemRandom

from simulation.quorum.broken import SWITCHES
from simulation.quorum.deployment import Deployment
from simulation.quorum.retold import Retold
from simulation.quorum.schedules import Schedule
from simulation.quorum.search import Found, Make, Result, search, shorten
from simulation.quorum.seeds import ALWAYS

BATCH = 100


def tell(found: Found, make: Make) -> None:
    """A counterexample, short, one action a line."""
    short = shorten(found, make)
    print(f"seed {found.seed}, {found.n} nodes, level {found.level.name}: {short.why}")
    for step in short.steps:
        print("   ", *step)


def table(schedules: int) -> int:
    """Switch off each rule; after how many schedules it is caught, by chance and near the told stories."""
    missed = 0
    for switch in SWITCHES:
        told = []
        for kind, name in ((Schedule, "by chance"), (Retold, "near a story")):
            result = search(range(schedules), switch.make, kind=kind)
            if result.found is None:
                told.append(f"{name} not in {result.schedules}")
            else:
                short = shorten(result.found, switch.make)
                told.append(f"{name} after {result.schedules} ({len(short.steps)} actions: {short.why})")
        missed += result.found is None and "after" not in told[0]
        print(f"{switch.name}: {'; '.join(told)}", flush=True)
    return int(missed > 0)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="simulation.quorum", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to go on")
    parser.add_argument("--seed", type=int, help="from this seed on (default: by chance)")
    parser.add_argument("--schedules", type=int, default=0, help="stop after so many (0: by time)")
    parser.add_argument("--told", action="store_true", help="only schedules near the told stories")
    parser.add_argument("--compare", action="store_true", help="run the specification beside the machines")
    parser.add_argument("--break", dest="broken", choices=[s.name for s in SWITCHES], help="with one rule off")
    parser.add_argument("--table", type=int, metavar="SCHEDULES", help="try with each rule off")
    options = parser.parse_args(argv)
    if options.table:
        return table(options.table)
    make = next((s.make for s in SWITCHES if s.name == options.broken), Deployment)
    first = SystemRandom().randrange(10**9) if options.seed is None else options.seed
    start, done = time.monotonic(), 0
    counts: Counter[str] = Counter()
    for result in results(options, first, make):
        done += result.schedules
        counts.update(result.counts)
        if result.found is not None:
            tell(result.found, make)
            asked = " --compare" * options.compare + (f" --break {options.broken}" if options.broken else "")
            asked += " --told" * (result.kind is Retold)
            asked = f"--seed {result.found.seed} --schedules 1{asked}"
            print(f"replay: make simulate SEARCH=simulation.quorum ARGS='{asked}'")
            return 1
    minutes = (time.monotonic() - start) / 60
    told = f"{counts['opened']} failovers, {counts['acked']} acknowledged writes, {counts['reads']} reads, " \
           f"{counts['changes']} changes of members, {counts['refounded']} refoundings"
    print(f"{done} schedules, the fresh ones from seed {first}: {counts['actions']} actions in {minutes:.1f} minutes: "
          f"{done / minutes:.0f} schedules a minute; {told}; nothing was broken")
    return 0


def results(options: argparse.Namespace, first: int, make: Make) -> Iterator[Result]:
    """Search until the time is over, in batches; where no seed is named, those come first that broke something once."""
    start = time.monotonic()
    if options.seed is None:
        print(f"seeds that broke something once: {ALWAYS}; fresh seeds from {first}", flush=True)
        yield search(ALWAYS, make, options.compare)
    end = first + options.schedules if options.schedules else sys.maxsize
    for seed in range(first, end, BATCH):
        if time.monotonic() - start > options.seconds:
            return
        told = options.told or (options.seed is None and seed // BATCH % 2)
        yield search(range(seed, min(seed + BATCH, end)), make, options.compare, Retold if told else Schedule)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
