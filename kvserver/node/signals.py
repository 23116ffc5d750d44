"""What each signal does to a process: one table, put in force at the very start (a shell).

Theory of operation. `set_dispositions` is the first thing a program of ours does. From then on nothing that a
terminal, a timer or a broken connection sends ends the process by the way. Signals that ask it to stop end it as the
system does until `Stop` takes them over, which is before there are data that could be lost.

The dispositions are Redis's own, but for SIGXFSZ, and for SIGCHLD, whose inheritance would hide how scripts ended.
What is ignored stays ignored in a program that the process starts, which would surprise it: `for_children` is the way
to start one.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Any, NamedTuple

from kvserver.doors import Process


class Does(Enum):
    """What happens when a signal arrives."""

    NOTHING = auto()
    STOP = auto()
    """The process shuts down, and saves as the options say."""
    REPORT = auto()
    """It ends by the signal, after a report in the log (`crash.py`)."""
    DEFAULT = auto()
    """What the system does by default, even if whoever started us ignores the signal."""
    INHERITED = auto()
    """What it did to whoever started us: by default most of these end a process."""


class Row(NamedTuple):
    """One signal. Names, not numbers, as no system has them all."""

    name: str
    does: Does
    why: str


TABLE = (
    Row("SIGHUP", Does.NOTHING, "a terminal that closes is no reason to stop"),
    Row("SIGPIPE", Does.NOTHING, "the write that broke says so itself"),
    Row("SIGALRM", Does.NOTHING, "Redis's watchdog, which is off"),
    Row("SIGXFSZ", Does.NOTHING, "a file at its limit is an error of the write, which is reported"),
    Row("SIGTERM", Does.STOP, "shutdown-on-sigterm"),
    Row("SIGINT", Does.STOP, "shutdown-on-sigint; a second one ends the process at once"),
    Row("SIGABRT", Does.REPORT, "asks a process that hangs where it is"),
    Row("SIGSEGV", Does.REPORT, "a fault"),
    Row("SIGBUS", Does.REPORT, "a fault"),
    Row("SIGFPE", Does.REPORT, "a fault"),
    Row("SIGILL", Does.REPORT, "a fault"),
    Row("SIGCHLD", Does.DEFAULT, "while it is ignored nobody learns how a script ended"),
    Row("SIGQUIT", Does.INHERITED, "ends, with an image of the memory, without saving: sent by hand"),
    Row("SIGTRAP", Does.INHERITED, "a debugger's"),
    Row("SIGUSR1", Does.INHERITED, "no meaning here, nor in Redis"),
    Row("SIGUSR2", Does.INHERITED, "no meaning here, nor in Redis"),
    Row("SIGSTKFLT", Does.INHERITED, "not sent by any system of today"),
    Row("SIGCONT", Does.INHERITED, "job control"),
    Row("SIGTSTP", Does.INHERITED, "job control"),
    Row("SIGTTIN", Does.INHERITED, "job control"),
    Row("SIGTTOU", Does.INHERITED, "job control"),
    Row("SIGURG", Does.INHERITED, "nothing, by default"),
    Row("SIGXCPU", Does.INHERITED, "the processor time that somebody allowed is used up"),
    Row("SIGVTALRM", Does.INHERITED, "a profiler's timer"),
    Row("SIGPROF", Does.INHERITED, "a profiler's timer"),
    Row("SIGWINCH", Does.INHERITED, "nothing, by default"),
    Row("SIGIO", Does.INHERITED, "only for who asks for it"),
    Row("SIGPWR", Does.INHERITED, "for the system's first process"),
    Row("SIGSYS", Does.INHERITED, "a system call that a filter forbids"),
    Row("SIGKILL", Does.INHERITED, "can't be changed"),
    Row("SIGSTOP", Does.INHERITED, "can't be changed"),
)
"""Every signal but the real-time ones, which are INHERITED, too."""

_AT_START = {Does.NOTHING: signal.SIG_IGN, Does.STOP: signal.SIG_DFL, Does.DEFAULT: signal.SIG_DFL}


def _numbers(*kinds: Does) -> list[int]:
    return [int(getattr(signal, row.name)) for row in TABLE if row.does in kinds and hasattr(signal, row.name)]


def set_dispositions() -> None:
    """Put the table in force, and let through whatever the parent process had blocked; in the main thread."""
    for kind, disposition in _AT_START.items():
        for number in _numbers(kind):
            signal.signal(number, disposition)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


@contextlib.contextmanager
def for_children() -> Iterator[None]:
    """Within it, a program that is started finds each signal as it is by default, and none blocked.

    A signal that is caught is at its default in a new program, one that is ignored or blocked stays so: so for that
    moment those that are ignored are caught, with the same effect on us.
    """
    here = threading.current_thread() is threading.main_thread()  # only there can dispositions be changed
    ignored = [number for number in _numbers(Does.NOTHING) if here and signal.getsignal(number) is signal.SIG_IGN]
    blocked = signal.pthread_sigmask(signal.SIG_SETMASK, ()) if hasattr(signal, "pthread_sigmask") else None
    for number in ignored:
        signal.signal(number, _nothing)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
        if blocked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _nothing(number: int, frame: Any) -> None:
    """Catch a signal without effect."""


class Stop:
    """What SIGTERM and SIGINT do while the loop runs; a data node and a sentinel each have one.

    `begin(name)` starts an orderly stop. `started` and `stopping` tell how far the process is: before it has started
    there is nothing to save, and the first signal ends it with status 0; while it stops, SIGINT ends it with status 1.
    `last_act` comes before such an end.
    """

    def __init__(
        self,
        begin: Callable[[str], None],
        started: Callable[[], bool],
        stopping: Callable[[], bool],
        last_act: Callable[[], None],
        process: Process,
        log: Any,
    ) -> None:
        self._begin = begin
        self._started = started
        self._stopping = stopping
        self._last_act = last_act
        self._process = process
        self._log = log

    def watch(self) -> None:
        """Take the signals over; needs a running loop."""
        loop = asyncio.get_running_loop()
        for number in _numbers(Does.STOP):
            name = signal.Signals(number).name
            try:
                loop.add_signal_handler(number, self._arrived, name)
            except NotImplementedError:  # Windows
                signal.signal(number, lambda *_, name=name: loop.call_soon_threadsafe(self._arrived, name))

    def _arrived(self, name: str) -> None:
        if not self._started():
            self._end("Received shutdown signal during loading, exiting now.", 0)
        if self._stopping():
            if name == "SIGINT":
                self._end("You insist... exiting now.", 1)
            return
        self._log.warning(f"Received {name} scheduling shutdown...")
        self._begin(name)

    def _end(self, why: str, status: int) -> None:
        self._log.warning(why)
        self._last_act()
        self._process.exit(status)
