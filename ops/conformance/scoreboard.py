"""Results against the baseline, as JSON for the next run and as Markdown for people. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ops.conformance.output import NOT_STARTED
from ops.conformance.runner import UnitResult

INTRODUCTION = """\
# Conformance

Redis 7.0.15's own test suite, from Debian's source package, run unit by unit against our server and, for
comparison, against Debian's redis-server. `make conformance` renews this page. *Not reached* are tests of a
block that was abandoned; *skipped* are those the suite leaves out by tag, for both servers.
"""

_UNSERVED = re.compile(r"unknown command '([^']+)'")

Results = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Score:
    """A unit, or all of them: tests we passed, failed and never reached, and those Debian's server passed."""

    passed: int
    failed: int
    not_reached: int
    ignored: int
    peer_passed: int

    @property
    def percent(self) -> float:
        """Our passes in percent of the peer's; a unit in which nothing is tested is whole."""
        return 100.0 * min(self.passed, self.peer_passed) / self.peer_passed if self.peer_passed else 100.0


def as_json(result: UnitResult) -> dict[str, Any]:
    """A unit's result as it is kept."""
    return {
        "passed": result.passed,
        "failed": result.failed,
        "ignored": result.ignored,
        "complete": result.complete,
        "seconds": result.seconds,
        "failures": [{"test": failure.test, "detail": failure.detail} for failure in result.failures],
    }


def baseline_of(results: Results) -> dict[str, dict[str, int]]:
    """The counts of a run of Debian's server, which later runs are compared with."""
    kept = ("passed", "failed", "ignored")
    return {unit: {key: entry[key] for key in kept} for unit, entry in sorted(results.items())}


def score(entry: Mapping[str, Any], peer: Mapping[str, int]) -> Score:
    """One unit's score; a unit without a baseline is measured by itself."""
    passed, failed = entry["passed"], entry["failed"]
    peer_passed = peer.get("passed", passed)
    reachable = peer_passed + peer.get("failed", 0)
    return Score(passed, failed, max(0, reachable - passed - failed), entry["ignored"], peer_passed)


def total(scores: Iterable[Score]) -> Score:
    """The sum; a unit that passes more than the peer doesn't make up for another."""
    every = list(scores)
    return Score(
        sum(min(one.passed, one.peer_passed) for one in every),
        sum(one.failed for one in every),
        sum(one.not_reached for one in every),
        sum(one.ignored for one in every),
        sum(one.peer_passed for one in every),
    )


def line(name: str, one: Score) -> str:
    """A score as one line of plain text."""
    return (
        f"{name:<32} {one.passed:>4} of {one.peer_passed:>4}  {one.percent:5.1f} %"
        f"  failed {one.failed:>3}  not reached {one.not_reached:>3}  skipped {one.ignored:>3}"
    )


def markdown(results: Results, baseline: Mapping[str, Mapping[str, int]], reasons: Mapping[str, Any]) -> str:
    """The scoreboard: a table by unit, the total, and each failure with its reason where one is written."""
    scores = {unit: score(entry, baseline.get(unit, {})) for unit, entry in sorted(results.items())}
    out = [
        INTRODUCTION,
        "| unit | passed | of Redis's | % | failed | not reached | skipped |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    out += [_row(unit, one) for unit, one in scores.items()]
    out += [_row("**total**", total(scores.values())), "", "## What fails, and why", ""]
    for unit, entry in sorted(results.items()):
        out += _failures(unit, entry, reasons.get(unit, {}))
    return "\n".join(out).rstrip() + "\n"


def _row(name: str, one: Score) -> str:
    return (
        f"| {name} | {one.passed} | {one.peer_passed} | {one.percent:.1f} | {one.failed} "
        f"| {one.not_reached} | {one.ignored} |"
    )


def _failures(unit: str, entry: Mapping[str, Any], reasons: Mapping[str, Any]) -> list[str]:
    if not entry["failures"]:
        return []
    reasons = {**reasons, **reasons.get("given_up", {})}
    out = [f"### {unit}", ""]
    if "*" in reasons:
        out += [reasons["*"], ""]
    unserved = [match for failure in entry["failures"] if (match := _UNSERVED.search(failure["detail"]))]
    if unserved:
        names = ", ".join(sorted({match.group(1).upper() for match in unserved}))
        out.append(f"- {len(unserved)} failures for want of commands: {names}")
    for failure in entry["failures"]:
        if _UNSERVED.search(failure["detail"]):
            continue
        name = failure["test"] or "(outside of a test)"
        detail = failure["detail"].splitlines() or [""]
        told = detail[-1] if detail[0].startswith(NOT_STARTED) else detail[0]
        reason = reasons.get(failure["test"]) or f"`{told.replace('`', chr(39))}`"
        out.append(f"- {name}: {reason}")
    return [*out, ""]
