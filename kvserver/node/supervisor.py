"""Tells the supervisor that started us how far we are: systemd's sd_notify, upstart's stop (a shell).

The words are Redis's, so that `systemctl status` shows the same lines. systemd's protocol is one datagram a message,
to the socket that NOTIFY_SOCKET names: a path, or a name of Linux's abstract space behind an @.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from typing import Any

LOADING = "STATUS=Redis is loading...\n"
SERVING = "STATUS=Ready to accept connections\n"
FOLLOWING = "STATUS=Ready to accept connections in read-only mode. Waiting for MASTER <-> REPLICA sync\n"
SYNCHRONIZED = (
    "STATUS=MASTER <-> REPLICA sync: Finished with success. Ready to accept connections in read-write mode.\n"
)
CONTINUED = (
    "STATUS=MASTER <-> REPLICA sync: Partial Resynchronization accepted. Ready to accept connections in read-write "
    "mode.\n"
)
SAVING = "STATUS=Saving the final RDB snapshot\n"
NOT_SAVED = "STATUS=Error trying to save the DB, can't exit.\n"
READY = "READY=1\n"
STOPPING = "STOPPING=1\n"


def wanted(supervised: str, environ: Mapping[str, str]) -> str:
    """Which supervisor the option means, "" for none; `auto` asks the environment."""
    if supervised != "auto":
        return "" if supervised == "no" else supervised
    return "upstart" if environ.get("UPSTART_JOB") else "systemd" if environ.get("NOTIFY_SOCKET") else ""


class Supervisor:
    """The one who started this process; `name` is "no" when nobody wants to know."""

    def __init__(self, log: Any) -> None:
        self.name = "no"
        self._log = log

    def greet(self, supervised: str) -> None:
        """Find the supervisor, in the manner of the option `supervised`, and tell it that we are coming up.

        For upstart the process stops itself (`expect stop`), and goes on when upstart says so.
        """
        mode = wanted(supervised, os.environ)
        if mode == "systemd" and self._send(LOADING):
            self._log.info("Supervised by systemd. Please make sure you set appropriate values for TimeoutStartSec "
                           "and TimeoutStopSec in your service unit.")
            self.name = mode
        elif mode == "upstart":
            if "UPSTART_JOB" not in os.environ:
                self._log.warning("upstart supervision requested, but UPSTART_JOB not found!")
                return
            self._log.info("supervised by upstart, will stop to signal readiness.")
            signal.raise_signal(signal.SIGSTOP)
            del os.environ["UPSTART_JOB"]
            self.name = mode

    def tell(self, message: str) -> None:
        """Send systemd a message; for any other supervisor, nothing."""
        if self.name == "systemd":
            self._send(message)

    def _send(self, message: str) -> bool:
        """Whether the message was sent."""
        path = os.environ.get("NOTIFY_SOCKET")
        if not path:
            self._log.warning("systemd supervision error: NOTIFY_SOCKET not found!")
            return False
        address = f"\0{path[1:]}" if path.startswith("@") else path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)  # who doesn't read must not hold us up
                sock.sendto(message.encode(), address)
        except (OSError, AttributeError) as error:  # the latter where there are no such sockets
            self._log.warning("systemd supervision error: sd_notify", error=str(error))
            return False
        return True
