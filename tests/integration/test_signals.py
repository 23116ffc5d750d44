"""What signals do to the processes, beside what they do to Redis's."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Server, start_kvsentinel, start_kvserver, start_redis, wait_until
from support.servers import start_redis_sentinel

from kvserver.node.signals import TABLE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

KINDS: list[tuple[Callable[[], Server], Callable[[], Server]]] = [
    (start_kvserver, start_redis),
    (lambda: start_kvsentinel("sentinel monitor m 127.0.0.1 1 1"),
     lambda: start_redis_sentinel("sentinel monitor m 127.0.0.1 1 1")),
]  # fmt: skip

START_S = 60.0
"""How long a start, or an end, may take beside other programs."""


def masks(pid: int) -> dict[str, set[int]]:
    """The signals that a process ignores, catches and blocks, by the kernel's names of these."""
    return read_masks(Path(f"/proc/{pid}/status").read_text())


def read_masks(text: str) -> dict[str, set[int]]:
    """The masks in such a file, but for the real-time signals, of which the C library has two to itself."""
    found = re.findall(r"^(Sig(?:Ign|Cgt|Blk)):\t(\w+)$", text, re.MULTILINE)
    return {name: {bit + 1 for bit in range(31) if int(mask, 16) >> bit & 1} for name, mask in found}


def test_every_signal_has_a_row() -> None:
    """The table leaves no signal out but the real-time ones."""
    known = {signal.Signals(number).name for number in signal.valid_signals() if number < 32}
    assert known <= {row.name for row in TABLE}


@pytest.mark.parametrize(("ours", "theirs"), KINDS, ids=["data node", "sentinel"])
def test_dispositions_are_those_of_redis(ours: Callable[[], Server], theirs: Callable[[], Server]) -> None:
    """The kernel shows the same signals ignored and caught for us and for Redis, but for a file's limit."""
    with ours() as node, theirs() as peer:
        mine, its = masks(node.pid), masks(peer.pid)
        assert mine["SigIgn"] == its["SigIgn"] | {signal.SIGXFSZ}
        # SIGABRT isn't caught but blocked, and waited for; a sentinel keeps Python's way to crash.
        reports = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
        assert mine["SigCgt"] - reports == its["SigCgt"] - reports == {signal.SIGTERM, signal.SIGINT}


@pytest.mark.parametrize("start", [ours for ours, _ in KINDS], ids=["data node", "sentinel"])
@pytest.mark.parametrize("name", ["SIGHUP", "SIGPIPE", "SIGALRM", "SIGXFSZ", "SIGWINCH", "SIGURG", "SIGCHLD"])
def test_signals_that_change_nothing(start: Callable[[], Server], name: str) -> None:
    """A process serves on after a signal that means nothing to it."""
    with start() as node:
        node.send_signal(getattr(signal, name))
        assert node.command("PING")
        assert node.returncode is None


@pytest.mark.parametrize("start", [ours for ours, _ in KINDS], ids=["data node", "sentinel"])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_signals_that_stop(start: Callable[[], Server], name: str) -> None:
    """Either signal ends a process in good order, even if its parent had them blocked and ignored."""
    with start() as node:
        node.send_signal(getattr(signal, name))
        assert node.wait(START_S) == 0
        assert f"Received {name} scheduling shutdown" in node.log_text()


def test_what_the_parent_did_to_signals_doesnt_matter() -> None:
    """Signals that the parent process ignores and blocks work all the same."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    ignored = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        node = start_kvserver()
    finally:
        signal.signal(signal.SIGTERM, ignored)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    with node:
        node.send_signal(signal.SIGTERM)
        assert node.wait(START_S) == 0


def test_a_shutdown_is_hurried_by_an_interrupt_only(tmp_path: Path) -> None:
    """While the process stops, another SIGTERM does nothing, and SIGINT ends it at once with status 1."""
    with start_kvserver(enable_debug_command="local", folder=tmp_path) as node:
        node.command("DEBUG", "PAUSE-CRON", "1")
        node.send_signal(signal.SIGTERM)
        wait_until(lambda: "Received SIGTERM" in node.log_text(), what="the first signal")
        node.send_signal(signal.SIGTERM)
        assert node.command("PING")
        node.send_signal(signal.SIGINT)
        assert node.wait(START_S) == 1
        assert "You insist... exiting now." in node.log_text()


def test_a_signal_while_loading_ends_it_at_once(tmp_path: Path) -> None:
    """Before the data are there nothing is saved over them: the process just ends, with status 0."""
    with start_kvserver(folder=tmp_path) as node:
        node.client().mset({f"k{i}": i for i in range(200)})
        node.command("SAVE")
    whole = (tmp_path / "dump.rdb").read_bytes()
    pid_file = tmp_path / "pid"
    with start_kvserver(folder=tmp_path, key_load_delay=100_000, save="1 1", pidfile=pid_file, wait=False) as node:
        wait_until(pid_file.exists, START_S, "the pid file")
        node.send_signal(signal.SIGTERM)
        assert node.wait(START_S) == 0
        assert "Received shutdown signal during loading, exiting now." in node.log_text()
    assert (tmp_path / "dump.rdb").read_bytes() == whole
    assert not pid_file.exists()


def test_a_sentinels_script_finds_signals_as_by_default(tmp_path: Path) -> None:
    """What the sentinel ignores or blocks isn't ignored or blocked in the scripts that it starts.

    A shell that runs tests in the background ignores SIGQUIT for all of them: what was inherited stays.
    """
    script = tmp_path / "notify.sh"
    script.write_text(f"#!/bin/sh\ncd {tmp_path}\ngrep Sig /proc/self/status > out.$$\nmv out.$$ out\n")
    script.chmod(0o755)
    lines = ["sentinel monitor m 127.0.0.1 1 1", f"sentinel notification-script m {script}"]
    with start_kvsentinel(*lines) as sentinel:
        sentinel.command("SENTINEL", "RESET", "m")
        wait_until((tmp_path / "out").exists, START_S, "the script")
        text = (tmp_path / "out").read_text()
    found = read_masks(text)
    inherited = read_masks(Path("/proc/self/status").read_text())["SigIgn"] - {signal.SIGPIPE, signal.SIGXFSZ}
    assert (found["SigIgn"] - inherited, found["SigBlk"]) == (set(), set())
