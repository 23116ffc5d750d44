"""The data node as a process: it starts, says what is wrong with its options, ends cleanly."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import start_kvserver
from support.processes import python_env


def test_starts_answers_and_ends() -> None:
    """A node answers clients, and the terminating signal ends it with code 0."""
    with start_kvserver() as node:
        assert node.client().set("k", "v")
        assert node.command("GET", "k") == b"v"
    assert node.returncode == 0


def test_interrupt_ends_it() -> None:
    """Ctrl-C ends a node with code 0 and no traceback."""
    with start_kvserver() as node:
        node.send_signal(signal.SIGINT)
        assert node.wait() == 0
        assert "Traceback" not in node.log_text()


def test_restarts_on_the_same_port() -> None:
    """A node that was killed starts again at once on its port."""
    with start_kvserver() as node:
        node.kill()
        node.start_again()
        assert node.command("PING") is True


@pytest.mark.parametrize("words", [["--no-such-option", "1"], ["--port", "http"], ["--maxmemory", "10 parsecs"]])
def test_bad_options_are_refused(words: list[str], tmp_path: Path) -> None:
    """An unknown option or a bad value ends the node at once with a clear error that names it."""
    ended = subprocess.run(
        [sys.executable, "-m", "kvserver", *words], cwd=tmp_path, env=python_env(), capture_output=True, timeout=30
    )
    said = (ended.stdout + ended.stderr).decode()
    assert ended.returncode == 1
    assert words[0].lstrip("-") in said
    assert "Traceback" not in said
