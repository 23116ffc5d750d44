"""What most scenarios start with: a server of our own for the file, and a client of an empty one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from support import Server, start_kvserver


@pytest.fixture(scope="module")
def node() -> Iterator[Server]:
    with start_kvserver() as server:
        yield server


@pytest.fixture
def client(node: Server) -> redis.Redis:
    client = node.client()
    client.flushall()
    return client
