"""Run stories of whole deployments: ``python -m simulation.whole --seconds 60 [--seed N] [--stories N] [--show N]``."""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import SystemRandom

if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is part of a story
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, "-m", "simulation.whole", *sys.argv[1:]])

from simulation.whole import programs
from simulation.whole.blocks import run
from simulation.whole.broken import SWITCHES
from simulation.whole.seeds import ALWAYS
from simulation.whole.shrinking import shorten
from simulation.whole.story import KINDS, Options, Result

NAMES = {None: "a quorum or not", True: "a quorum", False: "no quorum"}


def parse(argv: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="simulation.whole", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to go on")
    parser.add_argument("--seed", type=int, help="run the stories from this seed on (default: by chance)")
    parser.add_argument("--stories", type=int, default=0, help="stop after so many stories (0: by time)")
    parser.add_argument("--faults", type=int, default=12, help="faults in each half of a story")
    parser.add_argument("--story", choices=list(KINDS), default="any", help="which kind")
    parser.add_argument("--quorum", choices=("yes", "no"), help="whether nodes are a quorum (default: as a seed wants)")
    parser.add_argument("--jobs", type=int, default=1, help="so many processes")
    parser.add_argument("--halves", type=int, default=2, help="after each of which all has to get well")
    parser.add_argument("--clients", type=int, default=99, help="at most so many")
    parser.add_argument("--shorten", type=float, default=60.0, help="how long to make one that fails shorter")
    parser.add_argument("--skip", default="", help="leave out these faults of each story: numbers, separated by commas")
    parser.add_argument("--show", type=int, default=0, help="print so many lines of each story's log")
    parser.add_argument("--tape", default="", help="write the whole trace of each story here, its seed behind the name")
    parser.add_argument("--break", dest="broken", choices=list(SWITCHES), help="with one rule of the product off")
    parser.add_argument("--table", type=int, metavar="STORIES", help="try with each rule off")
    parser.add_argument("--rules", default=",".join(SWITCHES), help="which, for --table")
    parser.add_argument("--go-on", action="store_true", help="don't stop at the first story that fails")
    return parser.parse_args(argv)


def replay(seed: int, options: Options) -> str:
    """How to see a story again."""
    asked = {"--story": options.kind, "--seed": seed, "--stories": 1, "--faults": options.strikes,
             "--halves": options.halves, "--clients": options.clients, "--show": 4000}
    if options.quorum is not None:
        asked["--quorum"] = "yes" if options.quorum else "no"
    if options.skip:
        asked["--skip"] = ",".join(map(str, sorted(options.skip)))
    return "make simulate SEARCH=simulation.whole ARGS='" + " ".join(f"{k} {v}" for k, v in asked.items()) + "'"


def tell(result: Result, show: bool) -> None:
    """A line for each story; its log, if that is wanted."""
    kind = "quorum " * result.quorum
    print(f"{kind}seed {result.seed}: {result.digest} {result.virtual_s:.1f} s in {result.cpu_s:.2f}, "
          f"{result.faults} faults, {result.failovers} failovers, {result.lost} of {result.acknowledged} lost, "
          f"well after {result.slowest_s:.1f} s", flush=True)
    if show:
        print("\n".join(result.lines))


def explain(result: Result, wanted: Options, seconds: float, prepare: Callable[[], None]) -> None:
    """A story that failed: its end, the shortest that was found, and how to see both again."""
    print(f"VIOLATION: {result.failure}\nreplay: {replay(result.seed, wanted)}", flush=True)
    shorter, shown = shorten(result, wanted, seconds, prepare)
    print("\n".join(shown.lines))
    if shorter != wanted:
        print(f"shorter: {shown.failure}\nreplay: {replay(result.seed, shorter)}", flush=True)


def table(options: argparse.Namespace) -> int:
    """Switch off each rule; after how many stories it is caught. The status is 1 if one isn't."""
    missed = 0
    for name in options.rules.split(","):
        results = []
        switch = SWITCHES[name]
        wanted = Options(switch.story, switch.quorum, options.faults)
        for result in run(range(options.table), wanted, options.jobs, switch.off):
            results.append(result)
            if result.failure:
                break
        caught = results[-1].failure
        missed += not caught
        said = f"caught after {len(results)} stories: {caught[:160]}" if caught else f"not in {len(results)} stories"
        print(f"{name}: {said}", flush=True)
    return int(missed > 0)


def main(argv: list[str]) -> int:
    """Run stories until the time is over."""
    options = parse(argv)
    programs.prepare()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # children end with us
    if options.table:
        return table(options)
    prepare = SWITCHES[options.broken].off if options.broken else _nothing
    first = SystemRandom().randrange(10**9) if options.seed is None else options.seed
    results: list[Result] = []
    for wanted, result in stories(options, first, prepare):
        results.append(result)
        tell(result, options.show > 0)
        if result.failure:
            explain(result, wanted, options.shorten, prepare)
            if not options.go_on:
                break
    for kind, some in (("quorum", [r for r in results if r.quorum]), ("async", [r for r in results if not r.quorum])):
        if some:
            print(f"{kind}: {summary(some)}")
    print(f"fresh seeds from {first}: {summary(results)}")
    return int(any(result.failed for result in results))


def stories(
    options: argparse.Namespace, first: int, prepare: Callable[[], None]
) -> Iterator[tuple[Options, Result]]:
    """What is told until the time is over, and as what: where no seed is named those come first that failed once."""
    start = time.monotonic()
    skip = frozenset(map(int, options.skip.split(","))) if options.skip else frozenset()
    quorum = None if options.quorum is None else options.quorum == "yes"
    wanted = Options(options.story, quorum, options.faults, options.halves, skip, options.clients, options.show or 60,
                     options.tape)

    def fresh() -> Iterator[int]:
        for count in itertools.count():
            if time.monotonic() - start > options.seconds or 0 < options.stories <= count:
                return
            yield first + count

    for kind, seeds in ALWAYS.items() if options.seed is None else ():
        if quorum in (None, kind):
            print(f"seeds that failed once, {NAMES[kind]}: {seeds}", flush=True)
            again = replace(wanted, kind="faults", quorum=kind)
            yield from ((again, result) for result in run(seeds, again, options.jobs, prepare))
    print(f"fresh seeds from {first}, {NAMES[quorum]}", flush=True)
    yield from ((wanted, result) for result in run(fresh(), wanted, options.jobs, prepare))


def summary(results: list[Result]) -> str:
    """How much was told, and how much of it was bad."""
    cpu_s, virtual_s, faults, failovers, acknowledged, lost, failed = (
        sum(getattr(result, name) for result in results)
        for name in ("cpu_s", "virtual_s", "faults", "failovers", "acknowledged", "lost", "failed"))
    rate = len(results) / cpu_s * 60 if cpu_s else 0.0
    return (f"{len(results)} stories: {faults} faults, {failovers} failovers, {virtual_s / 60:.0f} "
            f"minutes of virtual time in {cpu_s / 60:.1f} of processor time: {rate:.1f} stories a minute and core; "
            f"{lost} of {acknowledged} acknowledged writes lost; {failed} stories failed")


def _nothing() -> None:
    """The product is as it is."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
