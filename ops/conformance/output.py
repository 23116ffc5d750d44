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
_CONTEXT = re.compile(r"\s*\(context: .*$")
_NOISE = ("ERROR:", "###", "Ended", "***", "Reading the", "{")
DETAIL_LINES = 3
DETAIL_LETTERS = 160
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
            following = lines[i + 1 : i + 1 + DETAIL_LINES]
            if status.group(2).startswith(NOT_STARTED):
                following = _said_by_server(lines[i + 1 :])
            _count(report, status.group(1), status.group(2), following)
    return report


def _said_by_server(lines: list[str]) -> list[str]:
    start = next((i for i, line in enumerate(lines) if line.startswith("ERROR:")), 0)
    said = [line for line in lines[start : start + 8] if line and not line.startswith(_NOISE)]
    return said[:DETAIL_LINES]


def _shown(line: str) -> str:
    """One line of detail for people: without the place in the script, without control characters."""
    text = _CONTEXT.sub("", line.strip())
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _count(report: Report, status: str, rest: str, following: list[str]) -> None:
    if status == "ok":
        report.passed += 1
        report.finished.add(_ELAPSED.sub("", rest))
    elif status == "ignore":
        report.ignored += 1
    elif status == "exception":
        report.exception = "\n".join(map(_shown, [rest, *following]))
    elif status == "err":
        named = _NAME_IN_FILE.match(rest)
        detail = [] if named else [_shown(rest)]
        for line in following:
            if line.startswith("["):
                break
            detail.append(_shown(line))
        if len(detail) > 1 and detail[1].endswith(detail[0]):
            del detail[0]  # an exception's text with its first letters cut off, before the whole of it
        name = named.group(1) if named else ""
        report.failures.append(Failure(name, "\n".join(line[:DETAIL_LETTERS] for line in detail)))
        report.finished.add(name)
