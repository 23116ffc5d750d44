"""Run stories of whole deployments: ``python -m simulation.whole --seconds 60 [--seed N] [--stories N] [--show N]``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from random import SystemRandom
from typing import Any

if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is part of a story
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, "-m", "simulation.whole", *sys.argv[1:]])

from simulation.whole import programs
from simulation.whole.story import KINDS, Options, Result, Story

ALWAYS: tuple[int, ...] = ()
"""Seeds that found something once: they come first, whatever is run."""


def apart(seed: int, options: Options, tape: str = "") -> Result:
    """Tell a story in a child of its own: imports are shared, and nothing of a story is left for the next."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(readable)
        began = time.process_time()
        try:
            with open(tape or os.devnull, "wb") as file:
                result = asdict(Story(seed, options, file if tape else None).run())
        except BaseException:
            import traceback

            result = asdict(Result(seed, failure=traceback.format_exc()))
        result["cpu_s"] = time.process_time() - began
        with os.fdopen(writable, "wb") as pipe:
            pipe.write(json.dumps(result).encode())
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    found: dict[str, Any] = json.loads(text) if text else {"seed": seed, "failure": "the child died"}
    return Result(**found)


def main(argv: list[str]) -> int:
    """Run stories until the time is over."""
    parser = argparse.ArgumentParser(prog="simulation.whole", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to go on")
    parser.add_argument("--seed", type=int, help="run the stories from this seed on (default: by chance)")
    parser.add_argument("--stories", type=int, default=0, help="stop after so many stories (0: by time)")
    parser.add_argument("--story", choices=list(KINDS), default="faults", help="which one")
    parser.add_argument("--faults", type=int, default=12, help="faults in each half of a story")
    parser.add_argument("--show", type=int, default=0, help="print so many lines of each story's log")
    parser.add_argument("--tape", default="", help="write the whole trace of each story here, its seed behind the name")
    parser.add_argument("--go-on", action="store_true", help="don't stop at the first story that fails")
    options = parser.parse_args(argv)
    programs.prepare()
    first = SystemRandom().randrange(10**9) if options.seed is None else options.seed
    start = time.monotonic()
    results: list[Result] = []
    while time.monotonic() - start < options.seconds and (not options.stories or len(results) < options.stories):
        seed = first + len(results)
        result = apart(seed, Options(options.story, options.faults), f"{options.tape}.{seed}" if options.tape else "")
        results.append(result)
        print(f"seed {seed}: {result.digest} {result.virtual_s:.1f} s in {result.cpu_s:.2f} s, {result.turns} turns, "
              f"{result.faults} faults, {result.failovers} failovers, {result.lost} of {result.acknowledged} lost, "
              f"well after {result.slowest_s:.1f} s", flush=True)
        if options.show:
            print("\n".join(result.lines[-options.show :]))
        if result.failure:
            print("\n".join(result.lines[-60:]))
            again = f"--story {options.story} --seed {seed} --stories 1 --faults {options.faults} --show 4000"
            print(f"VIOLATION: {result.failure}")
            print(f"replay: make simulate SEARCH=simulation.whole ARGS='{again}'", flush=True)
            if not options.go_on:
                return 1
    cpu_s, virtual_s = (sum(getattr(result, name) for result in results) for name in ("cpu_s", "virtual_s"))
    print(f"{len(results)} stories from seed {first}, {virtual_s:.0f} s of virtual time in {cpu_s:.1f} s of processor "
          f"time: {len(results) / cpu_s * 60:.1f} stories a minute and core; "
          f"{sum(bool(result.failure) for result in results)} failed")
    return int(any(result.failure for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
