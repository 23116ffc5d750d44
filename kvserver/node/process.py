"""The process as its environment sees it: standard streams, working folder, log, background, pid file (a shell).

The order is Redis's: options are judged while the terminal still shows what is wrong; then the working folder, the
log, the supervisor; then the background, which a supervisor makes unnecessary; the pid file once the addresses are
ours, so that a second server started by mistake doesn't overwrite the first one's.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from kvserver import logs
from kvserver.config import Config, ConfigError
from kvserver.doors import real_doors
from kvserver.node.supervisor import Supervisor

DEFAULT_PIDFILE = "/var/run/redis.pid"
"""What a process in the background writes when `pidfile` isn't set."""


class ProcessShell:
    """One process, a data node's or a sentinel's; `settle` comes first."""

    def __init__(self) -> None:
        self._config = Config()
        self.output = logs.Output("")
        self.log: Any = logs.get("server")
        self.supervisor = Supervisor(self.log)
        self._pidfile: Path | None = None

    def settle(self, config: Config) -> None:
        """Go by these options: the working folder, and the log (a relative name: in that folder).

        Raises:
            ConfigError: the folder or the file can't be used; the text for the operator.
        """
        self._config = config
        try:
            if config.dir:
                os.chdir(config.dir)
            if config.logfile:
                self.output = logs.Output(config.logfile)
        except OSError as failure:
            raise ConfigError(f"Can't use '{failure.filename}': {failure.strerror}") from None
        if config.daemonize and not hasattr(os, "fork"):
            raise ConfigError("daemonize yes: this system has no fork(); have a service manager start the server")
        logs.configure(config.loglevel, self.output)

    def detach(self) -> None:
        """Find the supervisor; without one, go to the background if that is wanted. No thread may run yet."""
        self.supervisor.greet(self._config.supervised)
        if self._config.daemonize and self.supervisor.name == "no":
            if not self._config.pidfile:
                self._config.assign("pidfile", DEFAULT_PIDFILE)
            to_background()

    def write_pid(self) -> None:
        """Write the pid file, if there is to be one; a folder that doesn't let us is no reason not to serve."""
        if self._config.pidfile:
            self._pidfile = Path(self._config.pidfile).absolute()  # `dir` may change while running
            try:
                self._pidfile.write_text(f"{os.getpid()}\n")
            except OSError as failure:
                self.log.warning("the pid file can't be written", file=str(self._pidfile), error=failure.strerror)

    def remove_pid(self) -> None:
        """Remove the pid file that was written."""
        if self._pidfile is not None:
            self.log.info("Removing the pid file.")
            with contextlib.suppress(OSError):
                self._pidfile.unlink()


def open_standard_streams() -> None:
    """Give /dev/null the numbers of standard streams that were closed, lest a client's socket get one of them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def to_background() -> None:
    """Go on in a child of a session of its own, without a terminal; the parent ends with status 0.

    One fork, as Redis has it: service managers that follow forks count on that.
    """
    if os.fork():
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    if null > 2:
        os.close(null)
    real_doors.cache_clear()  # the facts of the process that they tell were the parent's
