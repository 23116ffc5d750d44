"""The process among others: stock configuration files, the background, pid files, supervisors, log rotation."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import redis
from support import Server, free_port, start_kvserver, start_redis, wait_until
from support.processes import python_env

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX")

STOCK = Path("/etc/redis")
"""Where Debian's packages put their files."""
START_S = 60.0
"""How long a start may take beside other programs."""


def run(folder: Path, *args: object, **environ: str) -> subprocess.CompletedProcess[str]:
    """Start our server with these arguments; returns when the process that was started ends."""
    return subprocess.run([sys.executable, "-m", "kvserver", *map(str, args)], cwd=folder, timeout=60, check=False,
                          env={**python_env(), **environ}, capture_output=True, text=True)  # fmt: skip


@contextmanager
def in_background(folder: Path, *args: object, **environ: str) -> Iterator[tuple[redis.Redis, psutil.Process]]:
    """A server that went to the background, with its pid in `folder`/pid; ended by SHUTDOWN NOSAVE."""
    port = free_port()
    done = run(folder, *args, "--port", port, "--dir", folder, "--pidfile", folder / "pid", **environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pid = folder / "pid"
    wait_until(lambda: pid.exists() and pid.read_text().endswith("\n"), START_S, "the pid file")
    process = psutil.Process(int(pid.read_text()))
    try:
        with redis.Redis(port=port, protocol=2) as client:
            wait_until(lambda: answers(client), START_S, "the server in the background")
            yield client, process
    finally:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
            process.wait(START_S)


def answers(client: redis.Redis) -> bool:
    with suppress(redis.ConnectionError):
        return bool(client.ping())
    return False


def stock(name: str, folder: Path) -> Path:
    """A copy of one of Debian's files."""
    if not os.access(STOCK / name, os.R_OK):
        pytest.skip(f"needs {STOCK / name}, readable")
    return Path(shutil.copy(STOCK / name, folder / name))


@pytest.mark.parametrize(("name", "words"), [("redis.conf", []), ("sentinel.conf", ["--sentinel"])])
def test_the_stock_files_start(name: str, words: list[str], tmp_path: Path) -> None:
    """Debian's own configuration starts, in the background as it says, with folders of ours behind it."""
    file = stock(name, tmp_path)
    with in_background(tmp_path, file, *words, "--logfile", tmp_path / "log") as (client, process):
        assert client.info("server")["redis_mode"] == ("sentinel" if words else "standalone")
        assert process.ppid() != os.getpid()
        assert os.getsid(process.pid) == process.pid
        assert {os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)} == {os.devnull}
        client.shutdown(nosave=True)
        process.wait(START_S)
    assert not (tmp_path / "pid").exists()
    assert "ready to exit" in (tmp_path / "log").read_text() or words


def test_the_last_word_on_daemonize_counts(tmp_path: Path) -> None:
    """A unit file that says --daemonize no behind Debian's file gets a process that stays."""
    file = stock("redis.conf", tmp_path)
    with start_kvserver(str(file), daemonize="no", supervised="systemd", logfile="", pidfile=tmp_path / "pid") as node:
        assert (tmp_path / "pid").read_text() == f"{node.pid}\n"
        assert node.info("server")["process_supervised"] == "no"
    assert not (tmp_path / "pid").exists()


def test_a_taken_port_leaves_the_other_ones_pid_file(tmp_path: Path) -> None:
    """A second server, started by mistake, ends, and doesn't touch the pid file of the first."""
    pid = tmp_path / "pid"
    with start_kvserver(pidfile=pid) as node:
        assert run(tmp_path, "--port", node.port, "--pidfile", pid, "--bind", node.host).returncode == 1
        assert pid.read_text() == f"{node.pid}\n"


def test_a_supervisor_keeps_it_in_the_foreground(tmp_path: Path) -> None:
    """Supervised by systemd a server doesn't go to the background, whatever daemonize says."""
    with Notified(tmp_path) as systemd:
        node = systemd.start(start_kvserver, supervised="systemd", daemonize=True)
        with node:
            assert node.info("server")["process_supervised"] == "systemd"
            assert node.info("server")["process_id"] == node.pid


class Notified:
    """systemd's side of its notification socket."""

    def __init__(self, folder: Path, abstract: bool = False) -> None:
        self._path = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{self._path}" if abstract else self._path)
        self._socket.settimeout(START_S)
        self.name = f"@{self._path}" if abstract else self._path

    def __enter__(self) -> Notified:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def start(self, start: object, **options: object) -> Server:
        """Start a server that knows the socket."""
        before = os.environ.get("NOTIFY_SOCKET")
        os.environ["NOTIFY_SOCKET"] = self.name
        try:
            assert callable(start)
            started = start(repl_diskless_sync_delay=0, **options)
            assert isinstance(started, Server)
            return started
        finally:
            del os.environ["NOTIFY_SOCKET"]
            if before is not None:
                os.environ["NOTIFY_SOCKET"] = before

    def read(self, count: int) -> list[str]:
        """The next messages."""
        return [self._socket.recv(4096).decode() for _ in range(count)]


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
@pytest.mark.parametrize("start", [start_kvserver, start_redis])
def test_systemd_is_told(start: object, tmp_path: Path) -> None:
    """A primary says when it is loading, ready, stopping and saving: the very messages of Redis."""
    with Notified(tmp_path, abstract=True) as systemd, systemd.start(start, supervised="auto", save="1 1") as node:
        assert systemd.read(3) == [
            "STATUS=Redis is loading...\n", "STATUS=Ready to accept connections\n", "READY=1\n",
        ]  # fmt: skip
        assert node.info("server")["process_supervised"] == "systemd"
        node.send_signal(signal.SIGTERM)
        assert systemd.read(2) == ["STOPPING=1\n", "STATUS=Saving the final RDB snapshot\n"]
        assert node.wait() == 0


@pytest.mark.parametrize("start", [start_kvserver, start_redis])
def test_systemd_is_told_of_synchronizations(start: object, tmp_path: Path) -> None:
    """A replica says that it is ready but waits, and how it got its data: the very messages of Redis."""
    with start_redis(repl_diskless_sync_delay=0) as primary, Notified(tmp_path) as systemd:
        words = f"{primary.host} {primary.port}".split()
        with systemd.start(start, supervised="systemd", replicaof=words) as node:
            full, partial = (
                f"STATUS=MASTER <-> REPLICA sync: {how}. Ready to accept connections in read-write mode.\n"
                for how in ("Finished with success", "Partial Resynchronization accepted")
            )
            waiting = "STATUS=Ready to accept connections in read-only mode. Waiting for MASTER <-> REPLICA sync\n"
            assert systemd.read(4) == ["STATUS=Redis is loading...\n", waiting, "READY=1\n", full]
            node.command("CLIENT", "KILL", "TYPE", "master")
            assert systemd.read(1) == [partial]


def test_upstart_is_told_by_stopping(tmp_path: Path) -> None:
    """Under upstart the process stops itself, and serves when it is told to go on."""
    os.environ["UPSTART_JOB"] = "kv"
    try:
        node = start_kvserver(supervised="auto", wait=False)
    finally:
        del os.environ["UPSTART_JOB"]
    with node:
        process = psutil.Process(node.pid)
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, START_S, "the process stops")
        node.send_signal(signal.SIGCONT)
        node.wait_until_answers()
        assert node.info("server")["process_supervised"] == "upstart"


def test_a_rotated_log_is_begun_anew(tmp_path: Path) -> None:
    """A log file that was moved away is created again with the next line, and a crash is reported there."""
    log = tmp_path / "log.txt"
    with start_kvserver(folder=tmp_path, logfile=log, enable_debug_command="local") as node:
        log.rename(tmp_path / "log.1")
        node.command("SAVE")
        wait_until(log.exists, what="a new log file")
        assert "snapshot saved" in log.read_text()
        assert "snapshot saved" not in (tmp_path / "log.1").read_text()
        with suppress(redis.ConnectionError):
            node.command("DEBUG", "SEGFAULT")
        node.wait()
        assert "Fatal Python error" in log.read_text()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_log_that_cant_be_written_stops_nobody(tmp_path: Path) -> None:
    """With the log's disk full a server starts, serves and ends."""
    with start_kvserver(folder=tmp_path, logfile="/dev/full") as node:
        node.command("SAVE")
        node.send_signal(signal.SIGTERM)
        assert node.wait() == 0


def test_closed_standard_streams_are_no_clients(tmp_path: Path) -> None:
    """A process started without standard streams writes its log into none of its sockets."""
    port = free_port()
    words = f'exec "{sys.executable}" -m kvserver --port {port} --save "" <&- >&- 2>&-'
    process = subprocess.Popen(["/bin/sh", "-c", words], cwd=tmp_path, env=python_env())
    try:
        with redis.Redis(port=port, protocol=2) as client:
            wait_until(lambda: answers(client), START_S, "the server")
            assert {os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)} == {os.devnull}
    finally:
        process.terminate()
        assert process.wait(START_S) == 0
