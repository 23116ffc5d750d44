"""The process's name, as ps shows it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import redis
from support import start_kvsentinel, start_kvserver

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()


def test_the_name_says_what_runs() -> None:
    """A node shows its address; another template takes effect at once, and a wrong one is refused."""
    with start_kvserver() as node:
        client = node.client()
        assert title(node.pid) == f"kvserver 127.0.0.1:{node.port}"
        client.config_set("proc-title-template", "TEST {title} {port} {tls-port} {config-file}")
        assert title(node.pid) == f"TEST kvserver {node.port} 0 -"
        with pytest.raises(redis.ResponseError, match="template format is invalid or contains unknown variables"):
            client.config_set("proc-title-template", "{invalid-var}")
        assert title(node.pid) == f"TEST kvserver {node.port} 0 -"


def test_a_sentinel_says_so() -> None:
    """A sentinel's name tells it from a node's."""
    with start_kvsentinel() as sentinel:
        assert title(sentinel.pid) == f"kvserver 127.0.0.1:{sentinel.port} [sentinel]"


def test_the_name_can_be_left_alone() -> None:
    """With set-proc-title no the command line stays."""
    with start_kvserver(set_proc_title=False) as node:
        assert "--set-proc-title" in title(node.pid)
