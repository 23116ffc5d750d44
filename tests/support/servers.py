"""Servers that speak RESP: ours and Redis's, data nodes and sentinels, behind one handle."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import redis
import redis.asyncio

from support.peers import require_peer
from support.ports import free_port
from support.processes import Process, python_env

READY_SECONDS = 30.0
HOST = "127.0.0.1"


class Server(Process):
    """A process that answers RESP on `port` of loopback."""

    def __init__(
        self,
        args: Sequence[str],
        folder: Path,
        name: str,
        port: int,
        *,
        env: Mapping[str, str] | None = None,
        password: str | None = None,
        owns_folder: bool = True,
    ) -> None:
        self.host = HOST
        self.port = port
        self.password = password
        self._owns_folder = owns_folder
        self._clients: list[redis.Redis] = []
        super().__init__(args, folder, name, env)

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def client(self, **options: Any) -> redis.Redis:
        """A redis-py client (replies as bytes, RESP2 unless told otherwise); closed with the server."""
        settings: dict[str, Any] = {
            "host": self.host, "port": self.port, "protocol": 2, "socket_timeout": 20.0, "password": self.password,
        }  # fmt: skip
        client = redis.Redis(**(settings | options))
        self._clients.append(client)
        return client

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        """redis-py's asyncio client; the test closes it (``await client.aclose()``)."""
        settings: dict[str, Any] = {"protocol": 2, "socket_timeout": 20.0, "password": self.password}
        return redis.asyncio.Redis(host=self.host, port=self.port, **(settings | options))

    def command(self, *args: Any) -> Any:
        """One command on a connection of its own; redis-py's reply, or its ResponseError raised."""
        client = self.client()
        try:
            return client.execute_command(*args)
        finally:
            client.close()
            self._clients.remove(client)

    def info(self, section: str = "all") -> dict[str, Any]:
        """INFO as redis-py parses it."""
        reply: dict[str, Any] = self.command("INFO", section)
        return reply

    def connect(self, timeout: float = 10.0) -> socket.socket:
        """A plain connected socket, for tests that send their own bytes."""
        return socket.create_connection(self.address, timeout)

    def answers(self) -> bool:
        """Whether PING is answered by PONG, or by the demand for a password that isn't known (not while it loads:
        who hasn't given the password isn't told of that)."""
        try:
            with self.connect(1.0) as connection:
                if self.password is not None:
                    password = self.password.encode()
                    connection.sendall(b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%b\r\n" % (len(password), password))
                    connection.recv(256)
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH", b"-NOPERM", b"-DENIED"))
        except OSError:
            return False

    def wait_until_answers(self, timeout: float = READY_SECONDS) -> None:
        self.wait_until_ready(self.answers, timeout)

    def start_again(self) -> None:
        """After `stop` or `kill`: the same command in the same folder on the same port, until it answers."""
        self.respawn()
        self.wait_until_answers()

    def restart(self) -> None:
        self.stop()
        self.start_again()

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.stop()
        if self._owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def start_kvserver(
    *args: str, port: int | None = None, folder: Path | None = None, wait: bool = True,
    program: Sequence[str] = ("-m", "kvserver"), **options: object,
) -> Server:  # fmt: skip
    """Our data node. `args` come before the options (a configuration file, say); `folder` is its dir and
    survives it; `wait=False` returns without waiting for an answer; `program` is what Python runs."""
    return _start_node([sys.executable, *program], "kvserver", args, port, folder, wait, options)


def start_redis(
    *args: str, port: int | None = None, folder: Path | None = None, wait: bool = True, **options: object
) -> Server:
    """A real Redis server, with the same handle and arguments as `start_kvserver`."""
    program = require_peer("redis-server")
    return _start_node([program], "redis-server", args, port, folder, wait, options)


def start_kvsentinel(*lines: str, port: int | None = None, folder: Path | None = None) -> Server:
    """Our sentinel, its configuration file made of `lines` (``sentinel monitor mymaster ... 2``)."""
    return _start_sentinel([sys.executable, "-m", "kvserver"], "kvsentinel", lines, port, folder)


def start_redis_sentinel(*lines: str, port: int | None = None, folder: Path | None = None) -> Server:
    """A real Redis Sentinel, with the same handle and arguments as `start_kvsentinel`."""
    return _start_sentinel([require_peer("redis-server")], "redis-sentinel", lines, port, folder)


def _start_node(
    program: list[str],
    name: str,
    args: Sequence[str],
    port: int | None,
    folder: Path | None,
    wait: bool,
    options: Mapping[str, object],
) -> Server:
    home = folder or Path(tempfile.mkdtemp(prefix=f"{name}-"))
    port = free_port() if port is None else port
    defaults: dict[str, object] = {"port": port, "bind": HOST, "dir": home, "save": ""}
    pairs = [word for key, value in {**defaults, **options}.items() for word in _option(key, value)]
    password = options.get("requirepass")
    server = Server(
        [*program, *args, *pairs],
        home,
        name,
        port,
        env=python_env(),
        password=None if password is None else str(password),
        owns_folder=folder is None,
    )
    return _answering(server) if wait else server


def _option(key: str, value: object) -> list[str]:
    """``--key value`` words; True and False are yes and no, a list gives several words."""
    if isinstance(value, bool):
        words = ["yes" if value else "no"]
    elif isinstance(value, (list, tuple)):
        words = [str(word) for word in value]
    else:
        words = [str(value)]
    return ["--" + key.replace("_", "-"), *words]


def _start_sentinel(
    program: list[str], name: str, lines: Sequence[str], port: int | None, folder: Path | None
) -> Server:
    home = folder or Path(tempfile.mkdtemp(prefix=f"{name}-"))
    port = free_port() if port is None else port
    config = home / "sentinel.conf"
    if not config.exists():
        config.write_text("\n".join([f"port {port}", f"bind {HOST}", f"dir {home}", *lines]) + "\n")
    args = [*program, str(config), "--sentinel"]
    return _answering(Server(args, home, name, port, env=python_env(), owns_folder=folder is None))


def _answering(server: Server) -> Server:
    try:
        server.wait_until_answers()
    except BaseException:
        server.close()
        raise
    return server
