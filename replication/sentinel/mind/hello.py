"""The hello message: who a sentinel is, and which configuration of a group is the newest it knows of.

Eight fields joined by commas, published on `__sentinel__:hello` of every node and sent to every peer:
own ip, port, run id, current epoch, group name, primary's ip, port, configuration epoch.
"""

from __future__ import annotations

from typing import NamedTuple

from replication.sentinel.mind.node_info import leading_int
from replication.sentinel.world.world import MAX_SANE_EPOCH, RUN_ID_LENGTH


class HelloMessage(NamedTuple):
    """One sentinel's view of one group; ports and epochs are numbers in range once it was parsed."""

    host: str
    port: int
    run_id: str
    epoch: int
    group: str
    primary_host: str
    primary_port: int
    config_epoch: int

    def encode(self) -> bytes:
        """The text that is published."""
        return (f"{self.host},{self.port},{self.run_id},{self.epoch},{self.group},"
                f"{self.primary_host},{self.primary_port},{self.config_epoch}").encode()


def parse_hello(payload: bytes) -> HelloMessage | None:
    """The message, or None when it isn't one (not eight fields, no run id, a port or epoch that can't be)."""
    fields = payload.decode("utf-8", "replace").split(",")
    if len(fields) != 8:
        return None
    host, port, run_id, epoch, group, primary_host, primary_port, config_epoch = fields
    message = HelloMessage(host, leading_int(port), run_id, leading_int(epoch), group, primary_host,
                           leading_int(primary_port), leading_int(config_epoch))
    sane = (0 < message.port <= 65535 and 0 < message.primary_port <= 65535 and is_run_id(run_id)
            and max(message.epoch, message.config_epoch) <= MAX_SANE_EPOCH)
    return message if sane and host and primary_host else None


def is_run_id(text: str) -> bool:
    """Whether a text has the form of a run id."""
    return len(text) == RUN_ID_LENGTH and text.isascii() and text.isalnum()
