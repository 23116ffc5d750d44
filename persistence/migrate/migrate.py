"""MIGRATE: keys move to another server, each as the payload that RESTORE takes.

While the answers are awaited all other clients' writes wait (as under CLIENT PAUSE WRITE), so that a key which is
deleted here is the one that arrived there. AUTH and SELECT go first, and their answers count: a key that the target
put elsewhere, or refused, stays. Every waiting has the request's timeout. The connection is kept for the
next request; when the target has closed it meanwhile, another is opened, once.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field

from kvserver.engine.keys.keyspace import EV_GENERIC
from kvserver.engine.run import blocking
from kvserver.engine.run.session import Session
from kvserver.errors import SYNTAX, CommandError
from kvserver.services.offers import PAUSE_WRITES
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import OK, encode_request, error, simple
from persistence.migrate.links import Link, Links, Target
from persistence.rdb.payload import dump_payload

DEFAULT_TIMEOUT_MS = 1000
_PAUSE_REASON = "migrate"
_FOREVER_MS = 2**62


@dataclass(slots=True)
class Plan:
    """What is to be sent where."""

    host: str
    port: int
    db: int
    timeout_s: float
    copy: bool = False
    replace: bool = False
    auth: list[bytes] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)

    @property
    def target(self) -> Target:
        """What a connection can be kept for."""
        return self.host, self.port, tuple(self.auth)

    def preamble(self, link: Link) -> list[bytes]:
        """The requests that come before the keys on this connection."""
        requests = [encode_request([b"AUTH", *self.auth])] if self.auth else []
        if link.db != self.db:
            requests.append(encode_request([b"SELECT", b"%d" % self.db]))
        return requests

    def restore(self, key: bytes, ttl_ms: int, payload: bytes) -> bytes:
        """The request that carries a key."""
        return encode_request([b"RESTORE", key, b"%d" % ttl_ms, payload, *([b"REPLACE"] if self.replace else [])])


def parse(a: Sequence[bytes]) -> Plan:
    """Read MIGRATE's arguments.

    MIGRATE host port key|"" destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 user password]
    [KEYS key ...]
    """
    plan = Plan(a[1].decode("utf-8", "surrogateescape"), 0, 0, 0, keys=[a[3]])
    i = 6
    while i < len(a):
        option = a[i].upper()
        left = len(a) - i - 1
        if option == b"COPY":
            plan.copy = True
        elif option == b"REPLACE":
            plan.replace = True
        elif option == b"AUTH" and left >= 1:
            plan.auth = [a[i + 1]]
            i += 1
        elif option == b"AUTH2" and left >= 2:
            plan.auth = [a[i + 1], a[i + 2]]
            i += 2
        elif option == b"KEYS":
            if a[3]:
                raise CommandError(
                    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
                )
            plan.keys = list(a[i + 1 :])
            break
        else:
            raise CommandError(SYNTAX)
        i += 1
    timeout_ms = parse_int(a[5])
    plan.db = parse_int(a[4])
    plan.port = parse_int(a[2])
    plan.timeout_s = (timeout_ms if timeout_ms > 0 else DEFAULT_TIMEOUT_MS) / 1000
    return plan


def migrate(c: Session, a: list[bytes]) -> bytes | None:
    """MIGRATE: see `parse` for its arguments."""
    plan = parse(a)
    requests: list[bytes] = []
    found: list[bytes] = []
    now_ms = c.db.state.now_ms
    for key in plan.keys:
        value = c.db.lookup(key)
        if value is not None:
            expires = c.db.ttl_at(key)
            requests.append(plan.restore(key, max(1, expires - now_ms) if expires >= 0 else 0, dump_payload(value)))
            found.append(key)
    if not found:
        return simple("NOKEY")
    if c.no_block:
        raise CommandError("ERR MIGRATE cannot wait inside a transaction or a script")
    services = c.engine.services
    pause = services.administration.pause
    pause.begin(c.engine, _PAUSE_REASON, PAUSE_WRITES, _FOREVER_MS)
    c.engine.block(c, "migrate", [], 0, _never)
    wait = c.blocked
    task = asyncio.get_running_loop().create_task(
        _exchange(plan, requests, services.kept(Links), services.tls.for_migration())
    )

    def done(task: asyncio.Task[tuple[list[bool], bytes]]) -> None:
        arrived, reply = ([], error("ERR MIGRATE was interrupted")) if task.cancelled() else task.result()
        if not plan.copy:
            _let_go(c, [key for key, here in zip(found, arrived, strict=False) if here])
        pause.end(c.engine, _PAUSE_REASON)
        if c.blocked is wait:
            blocking.unblock(c.engine, c, reply)

    task.add_done_callback(done)
    return None


def _never(c: Session) -> bytes:
    return OK


def _let_go(c: Session, keys: list[bytes]) -> None:
    """Delete what has arrived, and log that."""
    db, engine = c.db, c.engine
    for key in keys:
        if db.peek(key) is not None:
            db.state.also(db.index, [b"DEL", key])  # first: what is deleted has to be in the log, whatever happens
            db.remove(key)
            db.changed(key, EV_GENERIC, b"del")
    engine.log_outside()


async def _exchange(
    plan: Plan, requests: list[bytes], links: Links, tls: ssl.SSLContext | None
) -> tuple[list[bool], bytes]:
    """Send all; which keys arrived, and the reply."""
    arrived = [False] * len(requests)
    link = links.take(plan.target)
    while True:
        try:
            link = link or await links.open(plan.target, tls, plan.timeout_s)
        except (OSError, TimeoutError):
            return arrived, error("IOERR error or timeout connecting to the client")
        try:
            refusal = await _converse(plan, requests, link, arrived)
        except (OSError, ValueError) as failure:  # TimeoutError is an OSError
            link.close()
            stale = not link.fresh and not any(arrived) and not isinstance(failure, TimeoutError)
            if not stale:
                return arrived, error("IOERR error or timeout reading to target instance")
            link = None
            continue
        except BaseException:
            link.close()
            raise
        if refusal:
            link.close()
            return arrived, error(b"ERR Target instance replied with error: " + refusal)
        link.db = plan.db
        links.keep(plan.target, link)
        return arrived, OK


async def _converse(plan: Plan, requests: list[bytes], link: Link, arrived: list[bool]) -> bytes:
    """Send all over a connection, note which keys arrive; the first error reply, or nothing.

    No key is sent before AUTH and SELECT were accepted: it would land with another user or in another database.

    Raises:
        OSError: the connection is lost, or an answer is not there in time (TimeoutError).
    """
    refusal = b""
    if preamble := plan.preamble(link):
        link.writer.write(b"".join(preamble))
        for _ in preamble:
            refusal = refusal or _refusal(await _line(plan, link))
    if refusal:
        return refusal
    link.writer.write(b"".join(requests))
    for i in range(len(requests)):
        refused = _refusal(await _line(plan, link))
        arrived[i] = not refused
        refusal = refusal or refused
    return refusal


async def _line(plan: Plan, link: Link) -> bytes:
    """The next reply, one line, within the request's timeout."""
    async with asyncio.timeout(plan.timeout_s):
        line = await link.reader.readline()
    if not line.endswith(b"\n"):
        raise ConnectionResetError
    return line


def _refusal(line: bytes) -> bytes:
    """What an error reply says; nothing of any other."""
    return line[1:].strip() if line[:1] == b"-" else b""


HANDLERS = {"MIGRATE": migrate}
