"""Shared by every test: logs of the processes in the report of a failure, and which build was tested."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings
from support import processes

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

COMPILED_SUFFIXES = (".so", ".pyd")


def build_under_test() -> str:
    """``compiled`` or ``pure``: how this interpreter imports the request codec."""
    spec = importlib.util.find_spec("kvserver.wire.resp")
    origin = spec.origin if spec is not None and spec.origin is not None else ""
    return "compiled" if origin.endswith(COMPILED_SUFFIXES) else "pure"


def pytest_sessionstart(session: pytest.Session) -> None:
    expected = os.environ.get("UNDERSTUDY_EXPECT")
    if expected and expected != build_under_test():
        pytest.exit(f"UNDERSTUDY_EXPECT={expected}, but the build imported is {build_under_test()}", 1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    spec = importlib.util.find_spec("kvserver")
    origin = spec.origin if spec is not None else None
    terminalreporter.write_line(f"tested: the {build_under_test()} build, {origin}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for process in processes.alive():
            report.sections.append((f"log of {process.name}, pid {process.pid}", process.log_tail()))
    return report
