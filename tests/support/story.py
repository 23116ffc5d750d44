"""Stories: command lines with the replies they must get, played on one connection."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from support.servers import Server

Steps = tuple[tuple[str, Any], ...]


def play(node: Server, steps: Steps, **options: Any) -> None:
    """Send each line, split at single spaces; an expected reply that begins with "-" stands for an error."""
    with node.client(single_connection_client=True, retry=Retry(NoBackoff(), 0), **options) as client:
        client.response_callbacks.clear()
        for line, expected in steps:
            reply: Any
            try:
                reply = client.execute_command(*line.split(" "))
            except (redis.ResponseError, redis.AuthenticationError) as error:
                reply = f"-{error}"
            assert reply == expected, line
