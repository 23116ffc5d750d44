"""What a crash leaves in the log."""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest
import redis
from support import start_kvserver

POSIX = pytest.mark.skipif(not hasattr(signal, "sigwait"), reason="needs POSIX signals")


@POSIX
def test_an_abort_from_outside_is_reported() -> None:
    """SIGABRT, as sent to a process that hangs, has it say what every thread is doing, and end by the signal."""
    with start_kvserver() as node:
        node.send_signal(signal.SIGABRT)
        assert node.wait() == -signal.SIGABRT
        assert "crashed by signal: 6" in node.log_text()
        assert "cli.py" in node.log_text()


@POSIX
@pytest.mark.parametrize(("name", "number"), [("SEGFAULT", signal.SIGSEGV), ("PANIC", signal.SIGABRT)])
def test_a_crash_is_reported(name: str, number: int) -> None:
    """A fault shows in the log where it happened, and nothing keeps the process from dying of it."""
    with start_kvserver(enable_debug_command="local") as node:
        with suppress(redis.ConnectionError):
            node.command("DEBUG", name)
        assert node.wait() == -number
        assert f"crashed by signal: {int(number)}" in node.log_text()
        assert "in debug\n" in node.log_text()


@POSIX
def test_reports_can_be_switched_off() -> None:
    """With crash-log-enabled off a crash writes nothing."""
    with start_kvserver() as node:
        node.command("CONFIG", "SET", "crash-log-enabled", "no")
        node.send_signal(signal.SIGABRT)
        assert node.wait() == -signal.SIGABRT
        assert "Thread" not in node.log_text()
