"""Run stories for a while: ``python -m simulation --seconds 60 [--seed N] [--faults N] [--unsound]``,
or, of groups that go by quorum, ``--by-quorum [--by-hand] [--wiped]``."""

from __future__ import annotations

import argparse
import sys
import time
from random import SystemRandom

from simulation.checkers import Violation
from simulation.clock import START_MS
from simulation.quorum_story import QuorumStory, run as run_by_quorum
from simulation.story import run

KINDS = ("unsound", "by_quorum", "by_hand", "wiped")
"""Options that are a part of what a seed's story is."""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to go on")
    parser.add_argument("--seed", type=int, help="run the stories from this seed on (default: by chance)")
    parser.add_argument("--stories", type=int, default=0, help="stop after so many stories (0: by time)")
    parser.add_argument("--faults", type=int, default=25, help="faults in each half of a story")
    parser.add_argument("--unsound", action="store_true", help="also disks that lie, and forced failovers")
    parser.add_argument("--by-quorum", action="store_true", help="groups that go by quorum")
    parser.add_argument("--by-hand", action="store_true", help="(by quorum) operators switch over as well")
    parser.add_argument("--wiped", action="store_true", help="(by quorum) nodes lose their folders as well")
    options = parser.parse_args(argv)
    seed = SystemRandom().randrange(10**9) if options.seed is None else options.seed
    start = time.monotonic()
    print(f"seeds from {seed}", flush=True)
    stories = faults = failovers = acknowledged = 0
    virtual_s = 0.0
    while time.monotonic() - start < options.seconds and (not options.stories or stories < options.stories):
        try:
            if options.by_quorum:
                story = run_by_quorum(seed + stories, options.faults, options.by_hand, options.wiped)
            else:
                story = run(seed + stories, options.faults, options.unsound)
        except Violation as violation:
            print(violation, file=sys.stderr)
            asked = " ".join(f"--{name.replace('_', '-')}" for name in KINDS if getattr(options, name))
            print(f"replay: make simulate SEARCH=simulation ARGS='--seed {seed + stories} --stories 1 "
                  f"--faults {options.faults} {asked}'", file=sys.stderr)
            return 1
        stories += 1
        faults += story.faults.count
        failovers += story.checkers.counts.get("+promoted-slave", 0)
        virtual_s += (story.clock.now_ms - START_MS) / 1000
        acknowledged += story.oracle.counts.acked if isinstance(story, QuorumStory) else 0
    spent = time.monotonic() - start
    print(f"{stories} stories from seed {seed}: {faults} faults, {failovers} failovers, {acknowledged} "
          f"writes acknowledged by quorums, {virtual_s / 60:.0f} minutes of virtual time in {spent:.1f} s: "
          f"{stories / spent * 60:.0f} stories, {faults / spent * 60:.0f} faults a minute; no violation")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
