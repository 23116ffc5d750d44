"""What tests share: real processes, real clients, polling with a deadline.

    from support import start_kvserver, start_redis, wait_until

    def test_set_is_read_back() -> None:
        with start_kvserver(requirepass="secret") as node:
            assert node.command("SET", "k", "v") ...

Every ``start_*`` function starts its process at once, returns when it answers, and gives a handle that is a
context manager; leaving it ends the process (by its pid) and removes its folder. Keyword options become
``--option-name value`` pairs, underscores written as hyphens. The log of a process that is alive when a
test fails is added to the test's report.
"""

from support.peers import require_peer
from support.ports import free_port
from support.processes import Process
from support.prometheus import Prometheus, start_prometheus
from support.servers import (
    Server,
    start_kvsentinel,
    start_kvserver,
    start_redis,
    start_redis_sentinel,
)
from support.waiting import wait_until, wait_until_async

__all__ = [
    "Process",
    "Prometheus",
    "Server",
    "free_port",
    "require_peer",
    "start_kvsentinel",
    "start_kvserver",
    "start_prometheus",
    "start_redis",
    "start_redis_sentinel",
    "wait_until",
    "wait_until_async",
]
