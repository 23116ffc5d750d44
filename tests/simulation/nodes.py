"""A data node as sentinels see it: PING, INFO, hellos, SLAVEOF in a transaction, and replication."""

from __future__ import annotations

from random import Random

from replication.sentinel.mind.messages import Reply
from simulation.network import Connection, Network, Process

PORT = 6379
SYNC_MS = 50


class Node(Process):
    def __init__(self, network: Network, host: str, rng: Random, priority: int = 100) -> None:
        super().__init__(network, host)
        self.rng = rng
        self.priority = priority
        self.run_id = f"{rng.getrandbits(160):040x}"
        self.follows: tuple[str, int] | None = None
        self.link_up = False
        self.link_since_ms = network.clock.now_ms
        self.offset = 0

    def restart(self) -> None:
        """Come back with the role it was last told (CONFIG REWRITE), as a new process."""
        self.run_id = f"{self.rng.getrandbits(160):040x}"
        self.alive = True
        self.link_up, self.link_since_ms = False, self.network.clock.now_ms

    def replicate(self) -> None:
        """One turn of the data path: write a little as a primary, catch up as a replica."""
        if not self.alive or self.paused:
            return
        if self.follows is None:
            self.offset += self.rng.randrange(200)
            return
        source = self.network.processes.get(self.follows[0])
        up = isinstance(source, Node) and source.alive and not source.paused \
            and self.network.reaches(self, source)
        if up != self.link_up:
            self.link_up, self.link_since_ms = up, self.network.clock.now_ms
        if up and isinstance(source, Node):
            self.offset = source.offset

    def serve(self, connection: Connection, args: tuple[bytes, ...]) -> Reply:
        command = args[0].upper()
        if connection.queued is not None and command != b"EXEC":
            connection.queued.append(args)
            return b"QUEUED"
        if command == b"EXEC":
            queued, connection.queued = connection.queued or [], None
            return [self._run(connection, each) for each in queued]
        return self._run(connection, args)

    def _run(self, connection: Connection, args: tuple[bytes, ...]) -> Reply:
        match args[0].upper(), *args[1:]:
            case b"PING", *_:
                return b"PONG"
            case b"INFO", *_:
                return self.info()
            case b"MULTI", *_:
                connection.queued = []
            case b"SUBSCRIBE", channel:
                connection.subscribed = True
                return [b"subscribe", channel, 1]
            case b"PUBLISH", channel, payload:
                return self._publish(channel, payload)
            case b"SLAVEOF", host, port:
                self._follow(host.decode(), port.decode())
            case b"CLIENT", b"KILL", *_:
                self._kill_clients(connection)
        return b"OK"

    def _follow(self, host: str, port: str) -> None:
        target = None if (host, port) == ("NO", "ONE") else (host, int(port))
        if target != self.follows:
            self.follows = target
            self.link_up, self.link_since_ms = False, self.network.clock.now_ms

    def _kill_clients(self, keep: Connection) -> None:
        for connection in list(self.connections):
            if connection is not keep and connection.server is self:
                connection.broken_by(self)

    def _publish(self, channel: bytes, payload: bytes) -> int:
        listeners = [c for c in self.connections if c.subscribed and c.server is self]
        for connection in listeners:
            connection.reply([b"message", channel, payload], None)
        return len(listeners)

    def info(self) -> bytes:
        now = self.network.clock.now_ms
        lines = ["# Server", f"run_id:{self.run_id}", "# Replication"]
        if self.follows is None:
            replicas = [n for n in self.network.processes.values()
                        if isinstance(n, Node) and n.link_up and n.follows == (self.host, PORT)]
            lines.append("role:master")
            lines += [f"slave{i}:ip={n.host},port={PORT},state=online,offset={n.offset},lag=0"
                      for i, n in enumerate(replicas)]
        else:
            lines += ["role:slave", f"master_host:{self.follows[0]}", f"master_port:{self.follows[1]}",
                      f"master_link_status:{'up' if self.link_up else 'down'}",
                      f"slave_repl_offset:{self.offset}", f"slave_priority:{self.priority}"]
            if not self.link_up:
                lines.append(f"master_link_down_since_seconds:{(now - self.link_since_ms) // 1000}")
        return ("\r\n".join(lines) + "\r\n").encode()
