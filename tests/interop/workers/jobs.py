"""The job libraries as test_workers.py uses them: their workers, and what adds jobs. A job makes a file.

    python jobs.py work LIBRARY        be a worker
    python jobs.py add FOLDER LIBRARY… add a job for each library, which makes FOLDER/LIBRARY

`SENTINEL_PORT` names the sentinel, `DOOR_PORT` a port behind which the primary is, for those that know no sentinels.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from celery import Celery
from huey import RedisHuey
from redis.sentinel import Sentinel, SentinelConnectionPool
from rq import Queue, SimpleWorker

GROUP = "mymaster"
SENTINEL = Sentinel([("127.0.0.1", int(os.environ["SENTINEL_PORT"]))], socket_timeout=2.0)


def make(path: str) -> None:
    """The job of RQ."""
    Path(path).touch()


def celery(name: str, broker: str) -> Any:
    """An application of Celery with one task and a queue of its own."""
    app = Celery(name, broker=broker)
    app.conf.update(task_default_queue=name, broker_connection_retry_on_startup=True, task_ignore_result=True)
    app.conf.broker_transport_options = {"master_name": GROUP} if broker.startswith("sentinel") else {}
    app.task(make, name="make")
    return app


CELERY = {
    "celery": celery("celery", f"redis://127.0.0.1:{os.environ['DOOR_PORT']}/0"),
    "celery-sentinel": celery("celery-sentinel", f"sentinel://127.0.0.1:{os.environ['SENTINEL_PORT']}/0"),
}
HUEY = RedisHuey("huey", connection_pool=SentinelConnectionPool(GROUP, SENTINEL))


@HUEY.task()  # type: ignore[untyped-decorator]
def make_for_huey(path: str) -> None:
    """The job of Huey."""
    make(path)


def work(library: str) -> None:
    """Be a worker until the process is ended."""
    if library == "rq":
        SimpleWorker(["rq"], connection=SENTINEL.master_for(GROUP)).work()
    elif library == "huey":
        HUEY.create_consumer(workers=1, periodic=False).run()
    else:
        words = ["worker", "--pool=solo", "--without-gossip", "--without-mingle", "--loglevel=INFO"]
        CELERY[library].worker_main(words)


def add(folder: str, library: str) -> None:
    """Add a job."""
    path = str(Path(folder, library))
    if library == "rq":
        Queue("rq", connection=SENTINEL.master_for(GROUP)).enqueue("jobs.make", path)
    elif library == "huey":
        make_for_huey(path)
    else:
        CELERY[library].send_task("make", [path])


if __name__ == "__main__":
    if sys.argv[1] == "work":
        work(sys.argv[2])
    else:
        for each in sys.argv[3:]:
            add(sys.argv[2], each)
