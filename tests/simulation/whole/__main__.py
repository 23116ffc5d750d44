"""Run stories of whole deployments: ``python -m simulation.whole --seconds 60 [--seed N] [--stories N] [--show N]``."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from collections.abc import Iterator
from random import SystemRandom

if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is part of a story
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, "-m", "simulation.whole", *sys.argv[1:]])

from simulation.whole import programs
from simulation.whole.blocks import run
from simulation.whole.seeds import ALWAYS
from simulation.whole.story import KINDS, Options, Result


def parse(argv: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="simulation.whole", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to go on")
    parser.add_argument("--seed", type=int, help="run the stories from this seed on (default: by chance)")
    parser.add_argument("--stories", type=int, default=0, help="stop after so many stories (0: by time)")
    parser.add_argument("--faults", type=int, default=12, help="faults in each half of a story")
    parser.add_argument("--story", choices=list(KINDS), default="faults", help="which one")
    parser.add_argument("--jobs", type=int, default=1, help="so many processes")
    parser.add_argument("--skip", default="", help="leave out these faults of each story: numbers, separated by commas")
    parser.add_argument("--show", type=int, default=0, help="print so many lines of each story's log")
    parser.add_argument("--tape", default="", help="write the whole trace of each story here, its seed behind the name")
    parser.add_argument("--go-on", action="store_true", help="don't stop at the first story that fails")
    return parser.parse_args(argv)


def replay(result: Result, options: argparse.Namespace) -> str:
    """How to see a story again."""
    skip = f" --skip {options.skip}" if options.skip else ""
    return (f"make simulate SEARCH=simulation.whole ARGS='--story {options.story} --seed {result.seed} --stories 1 "
            f"--faults {options.faults}{skip} --show 4000'")


def tell(result: Result, options: argparse.Namespace) -> None:
    """A line for each story, more for one that fails."""
    print(f"seed {result.seed}: {result.digest} {result.virtual_s:.1f} s in {result.cpu_s:.2f}, {result.faults} faults,"
          f" {result.failovers} failovers, {result.lost} of {result.acknowledged} lost, "
          f"well after {result.slowest_s:.1f} s", flush=True)
    if options.show or result.failure:
        print("\n".join(result.lines))
    if result.failure:
        print(f"VIOLATION: {result.failure}\nreplay: {replay(result, options)}", flush=True)


def main(argv: list[str]) -> int:
    """Run stories until the time is over."""
    options = parse(argv)
    programs.prepare()
    first = SystemRandom().randrange(10**9) if options.seed is None else options.seed
    start = time.monotonic()
    results: list[Result] = []

    def seeds() -> Iterator[int]:
        if options.seed is None:
            yield from ALWAYS
        for count in itertools.count():
            if time.monotonic() - start > options.seconds or 0 < options.stories <= count:
                return
            yield first + count

    skip = frozenset(map(int, options.skip.split(","))) if options.skip else frozenset()
    wanted = Options(options.story, options.faults, skip=skip, lines=options.show or 60, tape=options.tape)
    for result in run(seeds(), wanted, options.jobs):
        results.append(result)
        tell(result, options)
        if result.failure and not options.go_on:
            break
    cpu_s, virtual_s, faults, failovers, acknowledged, lost, failed = (
        sum(getattr(result, name) for result in results)
        for name in ("cpu_s", "virtual_s", "faults", "failovers", "acknowledged", "lost", "failed"))
    rate = len(results) / cpu_s * 60 if cpu_s else 0.0
    print(f"{len(results)} stories from seed {first}: {faults} faults, {failovers} failovers, {virtual_s / 60:.0f} "
          f"minutes of virtual time in {cpu_s / 60:.1f} of processor time: {rate:.1f} stories a minute and core; "
          f"{lost} of {acknowledged} acknowledged writes lost; {failed} stories failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
