"""Workers of job libraries, waiting in a blocking command, outlive what happens to the primary and do a new job.

RQ, Celery (its transports for Redis and for sentinels), Huey, and BullMQ if Node and the package are there:
`BULLMQ_FOLDER` names the folder of its `node_modules`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest
from support import Server, free_port, start_kvsentinel, start_kvserver, wait_until
from support.processes import python_env

SCRIPTS = Path(__file__).with_name("workers")
NEEDS = {"rq": "rq", "celery": "celery", "celery-sentinel": "celery", "huey": "huey"}
"""Libraries of Python, and the package of each."""
LIBRARIES = (*NEEDS, "bullmq")
SECONDS = 60.0
"""For a worker to begin, and to find the new primary: they wait longer between their attempts each time."""


class Door:
    """A port behind which the primary is, as the sentinel has it when a connection comes: a proxy in a thread."""

    def __init__(self, sentinel: Server) -> None:
        self.port = free_port()
        self._sentinel = sentinel
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self) -> None:
        self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._loop.call_soon(self._ready.set)
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = await asyncio.to_thread(primary_of, self._sentinel)
        try:
            back_reader, back_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass(reader, back_writer), self._pass(back_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


def primary_of(sentinel: Server) -> tuple[str, int]:
    """Where the sentinel says that the primary is."""
    host, port = sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")
    return host.decode(), int(port)


class House:
    """A primary, a replica, a sentinel, and a worker of each library that is installed."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.folder = folder
        primary = stack.enter_context(start_kvserver())
        replica = stack.enter_context(start_kvserver(replicaof=["127.0.0.1", primary.port]))
        self.nodes = {node.port: node for node in (primary, replica)}
        wait_until(lambda: replica.info("replication")["master_link_status"] == "up")
        self.sentinel = stack.enter_context(start_kvsentinel(
            f"sentinel monitor mymaster 127.0.0.1 {primary.port} 1",
            "sentinel down-after-milliseconds mymaster 1000",
        ))  # fmt: skip
        wait_until(lambda: self.sentinel.client(decode_responses=True).sentinel_master("mymaster")["num-slaves"] == 1)
        door = Door(self.sentinel)
        stack.callback(door.close)
        self.env = python_env() | {"SENTINEL_PORT": str(self.sentinel.port), "DOOR_PORT": str(door.port)}
        self.workers = {library: self._start(stack, library) for library in LIBRARIES if self.missing(library) == ""}
        wait_until(self._all_wait, SECONDS)

    def missing(self, library: str) -> str:
        """What the library needs and isn't installed, "" for nothing."""
        if library != "bullmq":
            return "" if find_spec(NEEDS[library]) else f"{NEEDS[library]}, of the package's extra 'test'"
        if shutil.which("node") is None:
            return "node"
        there = Path(os.environ.get("BULLMQ_FOLDER", SCRIPTS), "node_modules", "bullmq").is_dir()
        return "" if there else "bullmq (npm install bullmq ioredis in a folder that BULLMQ_FOLDER names)"

    def _start(self, stack: ExitStack, library: str) -> subprocess.Popen[str]:
        words = [sys.executable, "jobs.py", "work", library]
        env = self.env
        if library == "bullmq":
            words = ["node", "bull.js"]
            env = self.env | {"BULLMQ_FOLDER": os.environ.get("BULLMQ_FOLDER", str(SCRIPTS))}
        log = stack.enter_context((self.folder / f"{library}.log").open("w"))
        worker = subprocess.Popen(
            words, cwd=SCRIPTS, env=env, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, text=True
        )
        stack.callback(worker.wait)
        stack.callback(worker.kill)
        return worker

    @property
    def primary(self) -> Server:
        """The node that leads."""
        return self.nodes[primary_of(self.sentinel)[1]]

    def _all_wait(self) -> bool:
        """Every worker waits in a blocking command (some ask anew each second)."""
        return bool(self.primary.info("clients")["blocked_clients"] >= len(self.workers))

    def failed_over(self, old: Server) -> bool:
        """Whether another node leads, and says so."""
        return self.primary is not old and self.primary.info("replication")["role"] == "master"

    def jobs_done(self, name: str) -> dict[str, str]:
        """Add a job for each library; what is said of each: "" when it was done and the worker lives."""
        folder = self.folder / name
        folder.mkdir()
        ours = [library for library in self.workers if library != "bullmq"]
        words = [sys.executable, "jobs.py", "add", str(folder), *ours]
        subprocess.run(words, cwd=SCRIPTS, env=self.env, check=True, timeout=SECONDS)
        if "bullmq" in self.workers and (stdin := self.workers["bullmq"].stdin) is not None:
            stdin.write(f"{folder / 'bullmq'}\n")
            stdin.flush()

        def over() -> bool:
            return all((folder / each).exists() or worker.poll() is not None for each, worker in self.workers.items())

        with contextlib.suppress(AssertionError):  # it is told below, library by library
            wait_until(over, SECONDS)
        return {library: self._said(library, folder) for library in self.workers}

    def _said(self, library: str, folder: Path) -> str:
        tail = (self.folder / f"{library}.log").read_text()[-3000:]
        if self.workers[library].poll() is not None:
            return f"the worker ended\n{tail}"
        return "" if (folder / library).exists() else f"the job wasn't done\n{tail}"


def cut(house: House) -> None:
    """All connections of clients are ended."""
    house.primary.command("CLIENT", "KILL", "TYPE", "normal")


def failover(house: House) -> None:
    """A planned failover."""
    old = house.primary
    house.sentinel.command("SENTINEL", "FAILOVER", "mymaster")
    wait_until(lambda: house.failed_over(old))


def stop(house: House) -> None:
    """The primary is stopped as an operator stops it."""
    old = house.primary
    old.stop()
    wait_until(lambda: house.failed_over(old))


def kill(house: House) -> None:
    """The primary's process dies."""
    old = house.primary
    old.kill()
    wait_until(lambda: house.failed_over(old))


EVENTS: dict[str, tuple[Callable[[House], None], ...]] = {
    "failover": (cut, failover), "stop": (stop,), "kill": (kill,),
}  # fmt: skip


@pytest.fixture(scope="module", params=EVENTS)
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What became of each library's worker; a library that isn't installed: what is missing, in brackets."""
    with ExitStack() as stack:
        house = House(stack, tmp_path_factory.mktemp("jobs"))
        seen = {library: f"({house.missing(library)})" for library in LIBRARIES if house.missing(library)}
        seen |= house.jobs_done("before")
        for event in EVENTS[request.param]:
            event(house)
            for library, said in house.jobs_done(event.__name__).items():
                seen[library] = seen[library] or (f"after {event.__name__}: {said}" if said else "")
        yield seen


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_waiting_worker_outlives_it(outcome: dict[str, str], library: str) -> None:
    """The worker lives and does a job that was added afterwards."""
    said = outcome[library]
    if said.startswith("("):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"not installed: {said[1:-1]}")
    assert said == ""
