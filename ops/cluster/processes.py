"""Starting and ending the processes of a local cluster. They are ended by their process ids, and no others."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from ops.cluster.layout import HOST, LAYOUT_FILE, Layout, LayoutError, Member, Wanted, check_same, config_text, plan

STOP_S = 15.0
"""How long a process may take to end after SIGTERM (a primary waits for its replicas) before SIGKILL."""
TAIL_BYTES = 2000


class StartError(Exception):
    """A process did not come up; the text has the end of its log."""


def is_free(port: int) -> bool:
    """Whether a port of loopback can be listened on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def prepare(folder: Path, wanted: Wanted, with_http: bool = True) -> Layout:
    """Open the data folder, or make it: layout and configuration files. What is there isn't overwritten.

    Raises:
        LayoutError: it can't be laid out, or the folder holds another cluster than the one asked for.
    """
    remembered = folder / LAYOUT_FILE
    if remembered.exists():
        layout = Layout.from_json(remembered.read_text())
        check_same(layout, wanted, folder)
        for member in layout.members():
            if not is_free(member.port):
                raise LayoutError(f"port {member.port} of {member.name} is taken; does this cluster run already?")
    else:
        layout = plan(wanted, is_free)
    for member in layout.members():
        home = folder / member.name
        home.mkdir(parents=True, exist_ok=True)
        config = home / member.config_name
        if not config.exists():
            config.write_text(config_text(layout, member, home, with_http))
    if not remembered.exists():
        remembered.write_text(layout.to_json())
    return layout


def our_command(member: Member, config: Path) -> list[str]:
    """How one of our processes is started."""
    return [sys.executable, "-m", "kvserver", str(config), *(["--sentinel"] if member.sentinel else [])]


def redis_command(member: Member, config: Path) -> list[str]:
    """How Redis's own server is started in its place."""
    program = shutil.which("redis-server")
    if program is None:
        raise StartError("redis-server is not installed")
    return [program, str(config), *(["--sentinel"] if member.sentinel else [])]


class Child:
    """One process of the cluster, its folder and its log."""

    def __init__(self, member: Member, home: Path, command: Sequence[str]) -> None:
        self.member = member
        self.log = home / "log"
        self._home = home
        self._command = list(command)
        self._process: asyncio.subprocess.Process | None = None
        self.starts = 0

    @property
    def pid(self) -> int:
        """The process's id, 0 when it was never started."""
        return self._process.pid if self._process is not None else 0

    @property
    def running(self) -> bool:
        """Whether it was started and hasn't ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def returncode(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return None if self._process is None else self._process.returncode

    async def start(self) -> None:
        """Start it in a session of its own: Ctrl-C at the terminal ends us, and we end it, in good order."""
        self.starts += 1
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self._home,
                env=child_environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def log_tail(self) -> str:
        """The end of its log."""
        data = self.log.read_bytes() if self.log.exists() else b""
        return data[-TAIL_BYTES:].decode("utf-8", "replace")

    def kill(self) -> None:
        """End it as a crash does."""
        if self.running and self._process is not None:
            self._process.kill()

    async def wait(self) -> int:
        """Wait until it has ended; its return code."""
        assert self._process is not None, "it was never started"
        return await self._process.wait()

    async def stop(self) -> None:
        """End it: SIGTERM, and SIGKILL when it takes too long."""
        if self._process is None or not self.running:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def child_environment() -> dict[str, str]:
    """Have a child import the same packages as this process, also from a bare checkout."""
    root = str(Path(__file__).resolve().parents[2])
    if Path(root).name == "site-packages":
        return dict(os.environ)
    path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {**os.environ, "PYTHONPATH": path}
