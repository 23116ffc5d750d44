"""How much a replica's output may hold: the option, and what replication itself must be able to send at once."""

from __future__ import annotations

from kvserver.config.kinds import BufferLimit
from kvserver.config.store import Config


def replica_output(config: Config) -> BufferLimit:
    """The output limit of replicas in force: never below what one that continues may get at once.

    Else it would be cut off each time it comes back. A backlog holds less than twice its size.
    """
    return config.client_output_buffer_limit.replica.at_least(2 * config.repl_backlog_size)
