"""One operating-system process under test: started, watched, ended by its pid, its log kept."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

STOP_SECONDS = 10.0
TAIL_BYTES = 8_000

_alive: dict[int, Process] = {}


class Process:
    """A running program. `log` holds its standard output and error; leaving the context ends it."""

    def __init__(
        self, args: Sequence[str], folder: Path, name: str, env: Mapping[str, str] | None = None
    ) -> None:
        self.args = list(args)
        self.folder = folder
        self.name = name
        self.log = folder / f"{name}.log"
        self._env = dict(env) if env is not None else None
        self._popen = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            popen = subprocess.Popen(
                self.args, cwd=self.folder, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        _alive[popen.pid] = self
        return popen

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; as `subprocess` has it, negative for a signal."""
        return self._popen.poll()

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_tail(self) -> str:
        return self.log_text()[-TAIL_BYTES:]

    def wait(self, timeout: float = STOP_SECONDS) -> int:
        """Wait for it to end by itself; its return code."""
        code = self._popen.wait(timeout)
        _alive.pop(self.pid, None)
        return code

    def send_signal(self, signal_number: int) -> None:
        self._popen.send_signal(signal_number)

    def kill(self) -> None:
        """End it as a crash does (SIGKILL), and wait until it is gone."""
        self._popen.kill()
        self.wait()

    def stop(self) -> None:
        """End it politely (SIGTERM), by force after ten seconds."""
        if self.returncode is None:
            self._popen.terminate()
        try:
            self.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def respawn(self) -> None:
        """Start the same command again in the same folder, after it ended."""
        assert self.returncode is not None, "it still runs"
        _alive.pop(self.pid, None)
        self._popen = self._spawn()

    def wait_until_ready(self, ready: Callable[[], bool], timeout: float) -> None:
        """Poll `ready`; AssertionError with the log's tail when the process ends or the time is over."""
        deadline = time.monotonic() + timeout
        while not ready():
            if self.returncode is not None:
                raise AssertionError(f"{self.name} ended with {self.returncode}\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name} not ready within {timeout:g} s\n{self.log_tail()}")
            time.sleep(0.01)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            sys.stderr.write(f"--- {self.name} (pid {self.pid}), log ---\n{self.log_tail()}\n")
        self.close()

    def close(self) -> None:
        self.stop()


def alive() -> list[Process]:
    """Processes started here and not yet ended, for the report of a failed test."""
    return list(_alive.values())


def python_env() -> dict[str, str]:
    """Environment in which a child Python imports the same `kvserver` as this process does."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    spec = find_spec("kvserver")
    if spec is None or spec.origin is None:
        return env
    root = Path(spec.origin).resolve().parents[1]
    if root.name != "site-packages":
        env["PYTHONPATH"] = os.pathsep.join([str(root), env.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return env


@atexit.register
def _end_what_is_left() -> None:
    for process in alive():
        process.stop()
