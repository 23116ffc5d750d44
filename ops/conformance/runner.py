"""Runs one unit of the suite, within limits, through hangs and aborts."""

import fcntl
import functools
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ops.conformance.output import Failure, Report, read
from ops.conformance.source import CACHE, SourceError
from ops.conformance.tree import TLS

PORT_COUNT = 400
FIRST_PORT = 12_000
RANGES = 50
CONTROL_PORTS = 32
_LOCKS: list[IO[str]] = []  # locked until the process ends
_STARTING = re.compile(r"^### Starting (?:server for )?test (.*) in tests/\S+\.tcl$", re.MULTILINE)


@dataclass(frozen=True)
class Limits:
    """How long a unit may take, in seconds, how long it may make no progress, and how often it is rerun."""

    unit_s: float = 900.0
    silence_s: int = 90
    reruns: int = 8


@dataclass(slots=True)
class UnitResult:
    """What a unit came to, over all its reruns."""

    unit: str
    passed: int = 0
    ignored: int = 0
    failures: list[Failure] = field(default_factory=list)
    complete: bool = True
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        """Tests that failed; abandoned blocks are not tests."""
        return sum(1 for failure in self.failures if failure.test)


def run_unit(folder: Path, unit: str, limits: Limits, given_up: Iterable[str] = ()) -> UnitResult:
    """Run a unit in a tree made by `tree.run_tree`.

    A test that hangs or ends the unit counts as failed; the unit is then run again without it. The tests
    `given_up` count as failed from the start, so that what they leave behind doesn't fail others.
    """
    began = time.monotonic()
    stoppers = [Failure(test, "not run: it can't pass, and disturbs the tests after it") for test in given_up]
    allowed = len(stoppers) + limits.reruns
    best = Report()
    while True:
        left = limits.unit_s - (time.monotonic() - began)
        skip = [stopper.test for stopper in stoppers]
        text, in_time = _run_once(folder, unit, skip, limits.silence_s, left)
        report = read(text)
        best = report if report.done or report.passed >= best.passed else best
        stopper = None if report.done else _stopper(folder, report, in_time)
        if stopper is None or not stopper.test or stopper.test in skip or not in_time:
            break
        stoppers.append(stopper)
        if len(stoppers) > allowed:
            break
    failures = best.failures + stoppers
    if stopper is not None and stopper not in failures:
        failures.append(stopper)
    seconds = round(time.monotonic() - began, 1)
    return UnitResult(unit, best.passed, best.ignored, failures, best.done, seconds)


def _run_once(folder: Path, unit: str, skip: list[str], silence_s: int, limit_s: float) -> tuple[str, bool]:
    skipfile = folder / "skip"
    skipfile.write_text("\n".join(skip))
    command = ["tclsh", "tests/test_helper.tcl", "--single", unit, "--clients", "1", "--durable"]
    command += ["--tls"] if (folder / TLS).is_dir() else []
    command += ["--dont-clean", "--timeout", str(silence_s), "--skipfile", str(skipfile)]
    command += ["--baseport", str(base_port()), "--portcount", str(PORT_COUNT)]
    return execute(folder, command, limit_s)


def execute(folder: Path, command: list[str], limit_s: float) -> tuple[str, bool]:
    """One run: what it printed, and whether it ended within the limit. Nothing it started survives."""
    output = folder / "output"
    with output.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TERM": "dumb"},
            start_new_session=True,
        )
        in_time = True
        try:
            process.wait(timeout=max(1.0, limit_s))
        except subprocess.TimeoutExpired:
            in_time = False
        finally:
            _end_group(process)
    text = output.read_text(errors="replace")
    return text.replace(f"{folder}/", "").replace(sys.executable, "python"), in_time


@functools.cache
def base_port() -> int:
    """The first port of a range that no other run on this machine uses, as a locked file tells.

    The suite itself listens on a port just below.
    """
    for number in range(RANGES):
        base = FIRST_PORT + number * PORT_COUNT
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", base - CONTROL_PORTS)) == 0:
                continue
        lock = (CACHE / f"ports-{number}").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        _LOCKS.append(lock)
        return base
    raise SourceError("too many runs at a time")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End the suite's session: its clients and every server they left behind share its process group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


def _stopper(folder: Path, report: Report, in_time: bool) -> Failure | None:
    """The test in which an unfinished run stopped, as far as the servers' logs tell."""
    test = report.stuck_in or _last_started(folder)
    test = "" if test in report.finished else test
    if report.exception:
        return Failure(test, report.exception)
    return Failure(test, "no progress: the test hung" if in_time else "the unit's time was up")


def _last_started(folder: Path) -> str:
    """The name of the test that the suite last wrote into a server's log."""
    logs = sorted(folder.glob("tests/tmp/server.*/stdout"), key=lambda path: path.stat().st_mtime)
    names = _STARTING.findall(logs[-1].read_text(errors="replace")) if logs else []
    return str(names[-1]) if names else ""
