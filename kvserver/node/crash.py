"""What a crash leaves behind: a report in the log (a shell: it handles signals, and has a thread).

Theory of operation. When C code faults (SIGSEGV, SIGBUS, SIGFPE, SIGILL, abort()), no Python code can run any more;
the interpreter's own fault handler, which needs none, writes what every thread was doing. SIGABRT is also what an
operator sends to a process that hangs, to see where: that one is blocked in all threads and taken by a thread which
waits for nothing else, writes the same report behind a line that names the signal, and has the process die of it.
abort() isn't concerned: it goes to the thread that calls it, and unblocks the signal there.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from typing import Any

from kvserver.logs import Output

_HAS_SIGWAIT = hasattr(signal, "sigwait")
_NUMBERS = {"SEGFAULT": signal.SIGSEGV}


class CrashReports:
    """Reports of one process, written to the stream of its log."""

    def __init__(self, stream: Output, log: Any) -> None:
        self._stream = stream
        self._log = log

    def start(self) -> None:
        """Be ready; to be called in the main thread, before there are others."""
        faulthandler.enable(self._stream.fileno())
        if _HAS_SIGWAIT:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGABRT})
            threading.Thread(target=self._wait, name="crash reports", daemon=True).start()

    def switch(self, on: bool) -> None:
        """Report or not (crash-log-enabled)."""
        if on:
            faulthandler.enable(self._stream.fileno())
        else:
            faulthandler.disable()

    def _wait(self) -> None:
        number = signal.sigwait({signal.SIGABRT})
        if faulthandler.is_enabled():
            self._log.error(f"crashed by signal: {int(number)}", sender="another process")
            faulthandler.dump_traceback(self._stream.fileno())
            faulthandler.disable()  # it would say all that again
        os.abort()

    def crash(self, name: str) -> None:
        """Crash on purpose (DEBUG SEGFAULT, ASSERT, ...)."""
        number = _NUMBERS.get(name, signal.SIGABRT)
        if faulthandler.is_enabled():
            self._log.error(f"crashed by signal: {int(number)}", asked_by=f"DEBUG {name}")
        if number == signal.SIGABRT:
            os.abort()
        signal.raise_signal(number)
