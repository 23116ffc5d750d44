"""Reads what the suite prints. Pure: text in, counts and failures out.

Every report begins with a status in brackets: ``[ok]: name (12 ms)``, ``[err]: name in file`` followed by
lines of detail, ``[skip]`` (by name), ``[ignore]`` (by tag), ``[exception]`` (the unit ended), ``[TIMEOUT]``
(nothing happened for too long) with the test in progress on a later line. An ``[err]`` without ``in file``
comes from outside of any test: a block of tests was abandoned.
"""

import re
from dataclasses import dataclass, field

_STATUS = re.compile(r"^\[(ok|err|skip|ignore|exception|TIMEOUT)\]: (.*)$")
_NAME_IN_FILE = re.compile(r"^(.*) in tests/\S+\.tcl$")
_IN_PROGRESS = re.compile(r"^\S+ => \(IN PROGRESS\) (.*)$")
_DONE = re.compile(r"^\[\d+/\d+ done\]: ")
_ELAPSED = re.compile(r" \(\d+ ms\)$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
DETAIL_LINES = 3
NOT_STARTED = "Can't start the Redis server"
"""Followed by the configuration, and then, on a line that begins with ERROR:, by what the server said."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that failed, or a block that was abandoned (`test` is then empty), and how it began."""

    test: str
    detail: str


@dataclass(slots=True)
class Report:
    """What one run of a unit printed."""

    passed: int = 0
    ignored: int = 0
    failures: list[Failure] = field(default_factory=list)
    finished: set[str] = field(default_factory=set)
    stuck_in: str = ""
    exception: str = ""
    done: bool = False


def read(text: str) -> Report:
    """Count one run's output."""
    report = Report()
    lines = _COLOUR.sub("", text).splitlines()
    for i, line in enumerate(lines):
        if line.strip() == "The End":
            break
        if _DONE.match(line):
            report.done = True
        status = _STATUS.match(line)
        progress = _IN_PROGRESS.match(line)
        if progress:
            report.stuck_in = progress.group(1)
        elif status:
            start = i + 1
            if status.group(2).startswith(NOT_STARTED):
                start = next((j for j in range(i, len(lines)) if lines[j].startswith("ERROR:")), start)
            _count(report, status.group(1), status.group(2), lines[start : start + DETAIL_LINES])
    return report


def _count(report: Report, status: str, rest: str, following: list[str]) -> None:
    if status == "ok":
        report.passed += 1
        report.finished.add(_ELAPSED.sub("", rest))
    elif status == "ignore":
        report.ignored += 1
    elif status == "exception":
        report.exception = "\n".join([rest, *following])
    elif status == "err":
        named = _NAME_IN_FILE.match(rest)
        detail = [] if named else [rest]
        for line in following:
            if line.startswith("["):
                break
            detail.append(line.strip())
        if len(detail) > 1 and detail[1].endswith(detail[0]):
            del detail[0]  # an exception's text with its first letters cut off, before the whole of it
        name = named.group(1) if named else ""
        report.failures.append(Failure(name, "\n".join(detail)[:400]))
        report.finished.add(name)
