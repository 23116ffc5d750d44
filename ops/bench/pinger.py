"""A process that asks a server at a steady pace and notes how long each answer took.

It runs beside the benchmark, not in it, so that nothing else in the interpreter delays it. It prints a line when
it has begun, and when its standard input is closed one line of JSON: the answer times in milliseconds.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from subprocess import PIPE, Popen

from ops.bench.machine import pinned
from ops.cluster.processes import child_environment

PERIOD_S = 0.001
REQUESTS = {
    "ping": b"*1\r\n$4\r\nPING\r\n",
    "set": b"*3\r\n$3\r\nSET\r\n$12\r\nbench:pinger\r\n$16\r\n0123456789abcdef\r\n",
}


def main(port: int, request: bytes) -> None:
    """Ask until standard input ends."""
    times_ms: list[float] = []
    with socket.create_connection(("127.0.0.1", port), timeout=600.0) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print("begun", flush=True)
        due_s = time.perf_counter()
        while True:
            due_s = max(due_s + PERIOD_S, time.perf_counter())
            if select.select([sys.stdin], [], [], max(due_s - time.perf_counter(), 0))[0]:
                break
            started_s = time.perf_counter()
            link.sendall(request)
            reply = link.recv(4096)
            if not reply or reply[:1] == b"-":
                break
            times_ms.append((time.perf_counter() - started_s) * 1000)
    print(json.dumps([round(t, 3) for t in times_ms]), flush=True)


class Pinger:
    """Runs the process while a block of code runs; `times_ms` has the answer times afterwards."""

    def __init__(self, port: int, core: int, request: str = "ping") -> None:
        self.times_ms: list[float] = []
        self._port = port
        self._core = core
        self._request = request

    def __enter__(self) -> Pinger:
        command = [sys.executable, "-m", "ops.bench.pinger", str(self._port), self._request]
        with pinned(self._core):
            self._process = Popen(command, stdin=PIPE, stdout=PIPE, text=True, env=child_environment())
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return self

    def __exit__(self, *error: object) -> None:
        out, _ = self._process.communicate()
        self.times_ms = json.loads(out or "[]")


if __name__ == "__main__":
    main(int(sys.argv[1]), REQUESTS[sys.argv[2]])
