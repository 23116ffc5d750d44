"""Stories in children of their own: imports and a deployment's start are shared, and nothing is left for the next."""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from simulation.whole.story import BLOCK, Options, Result, Story


def run(seeds: Iterable[int], options: Options, jobs: int = 1) -> Iterator[Result]:
    """Tell the stories of some seeds, `jobs` deployments at a time; results come as they are there."""
    blocks = _blocks(seeds)
    with selectors.DefaultSelector() as waiting:
        while True:
            while len(waiting.get_map()) < jobs and (block := next(blocks, None)):
                waiting.register(_begin(block, options), selectors.EVENT_READ, bytearray())
            if not waiting.get_map():
                return
            for key, _ in waiting.select():
                yield from _read(waiting, key)


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


def _read(waiting: selectors.BaseSelector, key: selectors.SelectorKey) -> Iterator[Result]:
    """What has come from a child."""
    piece = os.read(key.fd, 1 << 20)
    key.data.extend(piece)
    while (end := key.data.find(b"\n")) >= 0:
        found = json.loads(key.data[:end])
        del key.data[: end + 1]
        yield Result(**found)
    if not piece:
        waiting.unregister(key.fd)
        os.close(key.fd)
        os.wait()


def _begin(seeds: list[int], options: Options) -> int:
    """Start a deployment in a child, which has a child for each story; where the results come from."""
    readable, writable = os.pipe()
    if os.fork():
        os.close(writable)
        return readable
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
                asyncio._set_running_loop(story.world.loop)  # it isn't told across a fork
                return seed
            os.waitpid(child, 0)
        os._exit(0)

    try:
        story = Story(seeds[0], options, branch)
        result = story.run()
    except BaseException:
        result.failure = traceback.format_exc()
    result.cpu_s = time.process_time() - began_s
    with os.fdopen(writable, "wb") as pipe:
        pipe.write(json.dumps(asdict(result)).encode() + b"\n")
    os._exit(0)
