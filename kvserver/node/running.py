"""How every process of ours begins, and runs: a data node's and a sentinel's alike."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from kvserver.node.process import open_standard_streams
from kvserver.node.signals import set_dispositions


def be_a_process() -> None:
    """Before anything else: what signals do, and standard streams that are there."""
    set_dispositions()
    open_standard_streams()


def run(main_coroutine: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine on uvloop where that exists, on asyncio's own loop elsewhere; return what it returns."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main_coroutine)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main_coroutine)
