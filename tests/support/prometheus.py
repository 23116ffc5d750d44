"""A real Prometheus that scrapes what a test names."""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from support.peers import require_peer
from support.ports import free_port
from support.processes import Process

READY_SECONDS = 60.0


class Prometheus(Process):
    """The server's process and its query API."""

    def __init__(self, args: list[str], folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(args, folder, "prometheus")

    def ready(self) -> bool:
        try:
            return self._get("/-/ready").startswith(b"Prometheus")
        except (OSError, urllib.error.URLError):
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Result of an instant query: a list of ``{"metric": {...}, "value": [time, "1"]}``."""
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        answer: dict[str, Any] = json.loads(self._get(path))
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def targets(self) -> list[dict[str, Any]]:
        """Active scrape targets, each with ``health`` and ``lastError``."""
        answer: dict[str, Any] = json.loads(self._get("/api/v1/targets?state=active"))
        result: list[dict[str, Any]] = answer["data"]["activeTargets"]
        return result

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=10.0) as answer:
            body: bytes = answer.read()
            return body

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def start_prometheus(config: str) -> Prometheus:
    """Prometheus with `config` as its configuration file (YAML), once it is ready to answer."""
    program = require_peer("prometheus")
    folder = Path(tempfile.mkdtemp(prefix="prometheus-"))
    (folder / "prometheus.yml").write_text(config)
    port = free_port()
    args = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    server = Prometheus(args, folder, port)
    try:
        server.wait_until_ready(server.ready, READY_SECONDS)
    except BaseException:
        server.close()
        raise
    return server
