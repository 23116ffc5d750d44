"""The suite's tests of Sentinel: five sentinels and five servers, one script a unit, no clients in between.

Each script begins by putting the servers into order, so that a unit can run alone. Its output is a line a
test, ``12:00:00> name: OK`` or ``... FAILED: why``; the first failure ends the unit.
"""

import re
import time
from pathlib import Path

from ops.conformance.output import DETAIL_LETTERS, Failure, Report
from ops.conformance.runner import PORT_COUNT, Limits, UnitResult, base_port, execute

PREFIX = "sentinel/"
_SCRIPTS = Path("tests") / "sentinel" / "tests"
_TEST = re.compile(r"\d\d:\d\d:\d\d> (.*?): (?:.*? )?(OK|FAILED: .*)$")
_STARTED = re.compile(r"\d\d:\d\d:\d\d> (.*?): ?(.*)$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PORTS = re.compile(r"^set ::(sentinel_base_port|redis_base_port|redis_port_count) .*$", re.MULTILINE)


def sentinel_units(suite: Path) -> list[str]:
    """The names of all units, in order: ``sentinel/00-base`` and so on."""
    return [PREFIX + script.stem for script in sorted((suite / _SCRIPTS).glob("*.tcl"))]


def run_sentinel_unit(folder: Path, unit: str, limits: Limits) -> UnitResult:
    """Run a unit in a tree made by `tree.run_tree`."""
    began = time.monotonic()
    _choose_ports(folder / "tests" / "instances.tcl")
    command = ["tclsh", "tests/sentinel/run.tcl", "--dont-clean", "--single", unit.removeprefix(PREFIX)]
    text, in_time = execute(folder, command, limits.unit_s)
    report = read_sentinel(text)
    failures = list(report.failures)
    if not report.done:
        why = "it ended early" if in_time else "the unit's time was up"
        failures.append(Failure(report.stuck_in, report.exception or why))
    seconds = round(time.monotonic() - began, 1)
    return UnitResult(unit, report.passed, 0, failures, report.done, seconds)


def _choose_ports(script: Path) -> None:
    """The suite's fixed ranges are replaced by halves of one that no other run uses."""
    half = PORT_COUNT // 2
    ports = {"sentinel_base_port": base_port(), "redis_base_port": base_port() + half, "redis_port_count": half}
    script.write_text(_PORTS.sub(lambda found: f"set ::{found[1]} {ports[found[1]]}", script.read_text()))


def read_sentinel(text: str) -> Report:
    """Count one unit's output. What is said between a test's name and its verdict is left out."""
    report = Report()
    for line in _COLOUR.sub("", text).splitlines():
        started, judged = _STARTED.match(line), _TEST.match(line)
        if judged is None and report.stuck_in and line.endswith(("OK", "FAILED: ")):
            judged = _TEST.match(f"00:00:00> {report.stuck_in}: {line}")
        if judged:
            _judge(report, judged[1], judged[2])
        elif started:
            report.stuck_in = started[1]
        elif line.startswith("FAILED: caught an error"):
            detail = line.removeprefix("FAILED: caught an error in the test ")
            _fail(report, report.stuck_in, detail)
        elif line.startswith(("ERROR: Sentinel has leaked", "*** Crash report", ">>>>>>>> ")):
            _fail(report, report.stuck_in, line)
        elif line.startswith("Cleaning up"):
            report.done = True
    return report


def _judge(report: Report, name: str, verdict: str) -> None:
    report.stuck_in = ""
    report.finished.add(name)
    if verdict == "OK":
        report.passed += 1
    else:
        _fail(report, name, verdict.removeprefix("FAILED: "))


def _fail(report: Report, name: str, detail: str) -> None:
    report.failures.append(Failure(name, detail[:DETAIL_LETTERS]))
