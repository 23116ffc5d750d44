"""The output limit of replicas."""

from __future__ import annotations

import pytest

from kvserver.config import Config
from kvserver.config.replica_output import replica_output


@pytest.mark.parametrize(
    ("limit", "backlog", "hard_bytes"),
    [("10mb 1mb 60", "1mb", 10 << 20), ("1mb 0 0", "1mb", 2 << 20), ("0 1mb 60", "1mb", 0)],
)
def test_a_replica_that_continues_is_not_cut_off(limit: str, backlog: str, hard_bytes: int) -> None:
    """Whatever the option says, a hard limit leaves room for a whole backlog, while its snapshot is on the way too."""
    config = Config()
    config.set([("client-output-buffer-limit", f"replica {limit}"), ("repl-backlog-size", backlog)])
    assert replica_output(config).hard_bytes == hard_bytes
