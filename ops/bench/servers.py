"""The servers that are compared: started for the benchmark, pinned, ended by their process ids."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import psutil
import redis
from redis.exceptions import RedisError

from ops.bench.machine import pinned
from ops.cluster.processes import child_environment

HOST = "127.0.0.1"
OURS = "understudy"
REDIS = "redis"
READY_S = 30.0
STOP_S = 10.0


class BenchError(Exception):
    """A benchmark can't go on; the text is for the operator."""


def need(program: str) -> str:
    """The path of a program of Redis's. Raises BenchError."""
    path = shutil.which(program)
    if path is None:
        raise BenchError(f"{program} is not installed (on Debian: apt-get install redis-server redis-tools)")
    return path


def redis_version() -> str:
    """The version of the Redis server that we compare with."""
    words = subprocess.run([need("redis-server"), "--version"], capture_output=True, text=True, check=True).stdout
    return next((word[2:] for word in words.split() if word.startswith("v=")), "?")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class BenchServer:
    """One server process; use it as a context manager. `program` is what runs when it isn't ours."""

    def __init__(self, kind: str, core: int, options: Iterable[str] = (), program: str = "") -> None:
        self.kind = kind
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"bench-{kind}-"))
        start = [sys.executable, "-m", "kvserver"] if kind == OURS else [program or need("redis-server")]
        words = ["--port", str(self.port), "--bind", HOST, "--dir", str(self.folder), "--save", "", *options]
        self.log = self.folder / "log"
        with pinned(core), self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*start, *words],
                cwd=self.folder,
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.client = redis.Redis(HOST, self.port, protocol=2, socket_timeout=600.0)
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_S
        while True:
            try:
                self.client.ping()
                return
            except (RedisError, OSError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    tail = self.log.read_bytes()[-1000:].decode("utf-8", "replace")
                    raise BenchError(f"{self.kind} did not start:\n{tail}")
                time.sleep(0.02)

    @property
    def rss(self) -> int:
        """Memory of the process that is in RAM, in bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def load(self, chunks: Iterable[bytes]) -> None:
        """Send requests in bulk, and wait until all are served; replies are errors never.

        Raises:
            BenchError: a request was answered by an error.
        """
        with socket.create_connection((HOST, self.port), timeout=600.0) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for chunk in chunks:
                link.sendall(chunk + b"*2\r\n$4\r\nECHO\r\n$8\r\nall-done\r\n")
                _read_until_done(link)

    def wait_info(self, section: str, field: str, value: object, timeout_s: float = 600.0) -> float:
        """Poll INFO until a field has a value; return the seconds that took."""
        started_s = time.monotonic()
        while self.client.info(section).get(field) != value:
            if time.monotonic() - started_s > timeout_s:
                raise BenchError(f"{self.kind}: {field} did not become {value} in {timeout_s:.0f} s")
            time.sleep(0.01)
        return time.monotonic() - started_s

    def close(self) -> None:
        """End the process, remove its folder."""
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> BenchServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _read_until_done(link: socket.socket) -> None:
    tail = b""
    while not tail.endswith(b"$8\r\nall-done\r\n"):
        data = link.recv(1 << 20)
        if not data:
            raise BenchError("the server closed the connection")
        tail = (tail + data)[-64:] if len(data) < 64 else data[-64:]
        if data[:1] == b"-" or b"\r\n-" in data:
            start = 0 if data[:1] == b"-" else data.index(b"\r\n-") + 2
            raise BenchError(data[start : start + 100].decode("utf-8", "replace"))


@contextmanager
def server(kind: str, core: int, options: Iterable[str] = (), replicas: int = 0,
           replica_cores: tuple[int, ...] = (-1,), replica_options: Iterable[str] = (),
           program: str = "") -> Iterator[BenchServer]:
    """A server with so many replicas of its own kind attached."""
    attached: list[BenchServer] = []
    with BenchServer(kind, core, options, program) as primary:
        try:
            for number in range(replicas):
                follow = ["--replicaof", HOST, str(primary.port), *replica_options]
                attached.append(BenchServer(kind, replica_cores[number % len(replica_cores)], follow, program))
            for replica in attached:
                replica.wait_info("replication", "master_link_status", "up", 60.0)
            yield primary
        finally:
            for replica in attached:
                replica.close()
