"""Stories in children of their own: imports and a deployment's start are shared, and nothing is left for the next."""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from types import FrameType

from simulation.whole.loop import Stuck
from simulation.whole.story import BLOCK, Options, Result, Story

BUSY_S = 120
"""More processor time than any story needs."""


def run(
    seeds: Iterable[int], options: Options, jobs: int = 1, prepare: Callable[[], None] = lambda: None
) -> Iterator[Result]:
    """Tell the stories of some seeds, `jobs` deployments at a time; results come as they are there.

    `prepare` is called in each deployment's child, before it comes up.
    """
    blocks = _blocks(seeds)
    children: dict[int, _Child] = {}
    with selectors.DefaultSelector() as waiting:
        try:
            while True:
                while len(children) < jobs and (block := next(blocks, None)):
                    child = _begin(block, options, prepare)
                    children[child.fd] = child
                    waiting.register(child.fd, selectors.EVENT_READ)
                if not children:
                    return
                for key, _ in waiting.select():
                    child = children[key.fd]
                    yield from child.read()
                    if child.ended:
                        waiting.unregister(child.fd)
                        children.pop(child.fd).end()
        finally:
            for child in children.values():  # nobody wants to know any more
                child.end()


@dataclass
class _Child:
    """A deployment's process, the first of a group, and where its results come from."""

    pid: int
    fd: int
    ended: bool = False
    _text: bytearray = field(default_factory=bytearray)

    def read(self) -> list[Result]:
        """What has come; waits if nothing has."""
        piece = os.read(self.fd, 1 << 20)
        self.ended = not piece
        *lines, self._text = (self._text + piece).split(b"\n")
        return [Result(**json.loads(line)) for line in lines]

    def end(self) -> None:
        """End it and its own children."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def _blocks(seeds: Iterable[int]) -> Iterator[list[int]]:
    """Seeds in a row that are stories of one deployment."""
    block: list[int] = []
    for seed in seeds:
        if block and seed // BLOCK != block[0] // BLOCK:
            yield block
            block = []
        block.append(seed)
        if seed % BLOCK == BLOCK - 1:
            yield block
            block = []
    if block:
        yield block


def _begin(seeds: list[int], options: Options, prepare: Callable[[], None]) -> _Child:
    """Start a deployment in a child, which has a child for each story."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writable)
        with suppress(OSError):  # it was faster
            os.setpgid(pid, pid)
        return _Child(pid, readable)
    os.setpgid(0, 0)
    os.close(readable)
    result = Result(seeds[0])
    began_s = time.process_time()

    def branch() -> int:
        """Return in a child for each seed; in the parent never."""
        nonlocal began_s
        shared_s = time.process_time() - began_s
        for number, seed in enumerate(seeds):
            child = os.fork()
            if not child:
                began_s = 0.0 if number else -shared_s
                _watch()
                asyncio._set_running_loop(story.world.loop)  # it isn't told across a fork
                return seed
            os.waitpid(child, 0)
        os._exit(0)

    try:
        _watch()
        prepare()
        story = Story(seeds[0], options, branch)
        result = story.run()
    except BaseException:
        result.failure = traceback.format_exc()
    result.cpu_s = time.process_time() - began_s
    with os.fdopen(writable, "wb") as pipe:
        pipe.write(json.dumps(asdict(result)).encode() + b"\n")
    os._exit(0)


def _watch() -> None:
    """End a story that keeps its processor busy: somebody goes in circles, and the failure says where."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stuck(f"busy for {BUSY_S} s\n{''.join(traceback.format_stack(frame)[-8:])}")

    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, BUSY_S)
