"""The processes of one run: three data nodes, three sentinels, three processes of clients. Ended by their ids."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ops.bench.servers import OURS, need
from ops.chaos.places import HOSTS, SERVICE, Network, Place
from ops.chaos.worker import Plan
from ops.chaos.workloads import WORKLOADS
from ops.cluster.processes import child_environment

STOP_S = 10.0
DISK = "64m"
"""Size of each node's own file system, where it can have one."""
SPARE = 4096


@dataclass(frozen=True)
class Servers:
    """Which programs, and how they are set up."""

    kind: str
    durability: str = "async"
    down_after_ms: int = 1000

    @property
    def title(self) -> str:
        """For tables."""
        return f"{self.kind} {self.durability}" if self.kind == OURS else self.kind

    @property
    def is_quorum(self) -> bool:
        """Whether no acknowledged write may be lost."""
        return self.durability != "async"

    def program(self) -> list[str]:
        """What starts a server. Raises BenchError."""
        return [sys.executable, "-m", "kvserver"] if self.kind == OURS else [need("redis-server")]


def node_lines(servers: Servers, network: Network, place: Place, data: Path) -> list[str]:
    """A data node's configuration; the first one leads when all starts."""
    first = network.places[0]
    lines = [f"port {network.listen(place)}", f"bind {place.address}", f"bind-source-addr {place.address}",
             f"replica-announce-ip {place.address}", f"replica-announce-port {place.port}", "protected-mode no",
             f'dir "{data}"', "save \"\"", "appendonly yes", "repl-diskless-sync-delay 0", "repl-backlog-size 16mb",
             "repl-timeout 10"]  # fmt: skip
    if servers.is_quorum:
        lines += [f"durability {servers.durability}", f"quorum-nodes {len(HOSTS)}", "reads linearizable"]
    if servers.durability == "quorum-fsync":
        lines.append("appendfsync always")
    if place.host != first.host:
        lines.append(f"replicaof {first.address} {first.port}")
    return lines


def sentinel_lines(servers: Servers, network: Network, place: Place, data: Path) -> list[str]:
    """A sentinel's configuration."""
    first = network.places[0]
    return [f"port {network.listen(place)}", f"bind {place.address}", f"bind-source-addr {place.address}",
            f"sentinel announce-ip {place.address}", f"sentinel announce-port {place.port}", "protected-mode no",
            f'dir "{data}"', f"sentinel monitor {SERVICE} {first.address} {first.port} 2",
            f"sentinel down-after-milliseconds {SERVICE} {servers.down_after_ms}",
            f"sentinel failover-timeout {SERVICE} 5000", f"sentinel parallel-syncs {SERVICE} 2"]  # fmt: skip


@dataclass
class Deployment:
    """Folders and processes, by the names of places."""

    servers: Servers
    network: Network
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    """Those that stand still."""
    has_disks: bool = False
    """Whether each node's data are on a file system of their own."""

    def prepare(self) -> None:
        """Make folders and configuration files."""
        for place in self.network.places:
            home = self.folder / place.name
            data = home / "data"
            data.mkdir(parents=True)
            if place.kind == "clients":
                continue
            if place.kind == "node" and self._mount(data):
                self.has_disks = True
            lines = (node_lines if place.kind == "node" else sentinel_lines)(self.servers, self.network, place, data)
            (home / "conf").write_text("\n".join(lines) + "\n")

    def _mount(self, data: Path) -> bool:
        """Give a node a small disk; only where what we mount is our own affair."""
        if "disk-full" in self.network.limits:
            return False
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(data)], check=False)
        return done.returncode == 0

    async def start(self, place: Place, empty: bool = False) -> None:
        """Start a server; `empty`: all that was in its data folder is gone. Raises BenchError."""
        if empty:
            for each in (self.folder / place.name / "data").iterdir():
                shutil.rmtree(each) if each.is_dir() else each.unlink()
        flag = ["--sentinel"] if place.kind == "sentinel" else []
        self._spawn(place, [*self.servers.program(), str(self.folder / place.name / "conf"), *flag])
        await self.network.serves(place, True)

    def start_clients(self, place: Place, local: str, setup: list[list[str]], seed: int) -> None:
        """Start the clients of a host; they ask their own host's sentinel first."""
        sentinels = [p for p in self.network.places if p.kind == "sentinel"]
        sentinels.sort(key=lambda p: (p.host != place.host, p.host))
        home = self.folder / place.name
        workloads = [w.name for w in WORKLOADS if self.servers.is_quorum or not w.stays_home]
        node = next(p for p in self.network.places if p.kind == "node" and p.host == place.host)
        plan = Plan(place.host, local, [[p.address, p.port] for p in sentinels], [node.address, node.port], workloads,
                    setup, seed, str(self.history(place)))  # fmt: skip
        plan.write(home / "plan.json")
        self._spawn(place, [sys.executable, "-m", "ops.chaos.worker", str(home / "plan.json")])

    def history(self, place: Place) -> Path:
        """The file in which a process of clients writes what it saw."""
        return self.folder / place.name / "history.jsonl"

    def _spawn(self, place: Place, words: list[str]) -> None:
        home = self.folder / place.name
        with (home / "log").open("ab") as log:
            self.processes[place.name] = subprocess.Popen(
                self.network.command(place, words), cwd=home, env=child_environment(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def running(self, place: Place) -> bool:
        """Whether the process of a place is there."""
        process = self.processes.get(place.name)
        return process is not None and process.poll() is None

    async def kill(self, place: Place) -> None:
        """End a process as a crash does."""
        process = self.processes[place.name]
        process.kill()
        process.wait()
        self.stopped.discard(place.name)
        await self.network.serves(place, False)

    def stop(self, place: Place) -> None:
        """Make a process stand still."""
        if self.running(place):
            self.processes[place.name].send_signal(signal.SIGSTOP)
            self.stopped.add(place.name)

    def proceed(self, place: Place) -> None:
        """Let it go on."""
        if place.name in self.stopped and self.running(place):
            self.processes[place.name].send_signal(signal.SIGCONT)
        self.stopped.discard(place.name)

    def fill(self, place: Place, is_full: bool) -> None:
        """Take all room on a node's disk, or give it back."""
        ballast = self.folder / place.name / "data" / "ballast"
        if not is_full:
            ballast.unlink(missing_ok=True)
            return
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(SPARE)):
                pass

    def end_clients(self) -> None:
        """Have every client finish its last request and leave."""
        ending = [self.processes[p.name] for p in self.network.places if p.kind == "clients" and self.running(p)]
        for process in ending:
            process.terminate()
        for process in ending:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)

    async def close(self) -> None:
        """End every process that was started here."""
        for place in self.network.places:
            if self.running(place):
                await self.kill(place)
        if self.has_disks:
            self._unmount()

    def _unmount(self) -> None:
        for place in self.network.places:
            if place.kind == "node":
                subprocess.run(["umount", "--lazy", str(self.folder / place.name / "data")], check=False)


def log_tail(folder: Path, place: Place, size: int = 1500) -> str:
    """The end of a process's log."""
    path = folder / place.name / "log"
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(os.path.getsize(path) - size, 0))
        return file.read().decode("utf-8", "replace")
