"""The replica's side of joining a primary: what to say, what to expect, what comes next. Pure.

Theory of operation. The handshake is a table. Each row says which request a step sends (some steps have none,
and are passed over), and how its reply is judged; the rows are taken in order. The last row is PSYNC, whose
reply decides between continuing and a snapshot. Refusals are of three kinds: a primary that can't serve *now*
(loading, its own link down) is asked again soon; an optional announcement it doesn't know is ignored;
everything else ends the attempt with a reason.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from kvserver.config import Config
from replication.history import is_replid
from replication.psync import ASK_FULL


@dataclass(frozen=True, slots=True)
class Settings:
    """What a replica tells its primary. Empty or zero: not announced."""

    user: bytes
    password: bytes
    listening_port: int
    announce_ip: bytes
    replid: bytes
    next_offset: int
    failover: bool = False
    quorum: bytes = b""


def settings_of(config: Config, port: int, replid: bytes | None, offset: int, failover: bool) -> Settings:
    """What a node tells by its options, its port, and where its log stands (`replid` None: in no history known)."""
    # Other nodes reach us by TLS if we use it for replication.
    reachable_port = (config.tls_replication and config.tls_port) or port
    return Settings(
        user=config.masteruser,
        password=config.masterauth,
        listening_port=config.replica_announce_port or reachable_port,
        announce_ip=config.replica_announce_ip.encode(),
        replid=ASK_FULL if replid is None else replid,
        next_offset=-1 if replid is None else offset + 1,
        failover=failover,
    )


@dataclass(frozen=True, slots=True)
class Send:
    """Send this request, and hand its reply to `Handshake.reply`."""

    args: list[bytes]


@dataclass(frozen=True, slots=True)
class Full:
    """A snapshot follows, taken at `offset` of the history `replid`."""

    replid: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class Partial:
    """The stream goes on from the offset asked for; `replid` is None when the primary didn't say."""

    replid: bytes | None


@dataclass(frozen=True, slots=True)
class Wait:
    """The primary keeps the connection alive while it prepares: read on."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The attempt is over. `soon` when the primary will be able to serve shortly."""

    reason: str
    soon: bool = False


Action = Send | Full | Partial | Wait | Refused


class Judge(enum.Enum):
    """How a reply is judged."""

    PONG = "anything but an error, or an error that asks for authentication"
    REQUIRED = "an error ends the attempt"
    OPTIONAL = "an error is ignored"
    PSYNC = "decides what follows"


@dataclass(frozen=True, slots=True)
class Step:
    """One row: the state's name, its request (None: skip), how its reply is judged."""

    name: str
    request: Callable[[Settings], list[bytes] | None]
    judge: Judge


def _auth(s: Settings) -> list[bytes] | None:
    if not s.password:
        return None
    return [b"AUTH", s.user, s.password] if s.user else [b"AUTH", s.password]


def _ip_address(s: Settings) -> list[bytes] | None:
    return [b"REPLCONF", b"ip-address", s.announce_ip] if s.announce_ip else None


def _psync(s: Settings) -> list[bytes]:
    args = [b"PSYNC", s.replid, b"%d" % s.next_offset]
    return [*args, b"FAILOVER"] if s.failover else args


HANDSHAKE: tuple[Step, ...] = (
    Step("ping", lambda s: [b"PING"], Judge.PONG),
    Step("auth", _auth, Judge.REQUIRED),
    Step(
        "listening-port",
        lambda s: [b"REPLCONF", b"listening-port", b"%d" % s.listening_port],
        Judge.OPTIONAL,
    ),
    Step("ip-address", _ip_address, Judge.OPTIONAL),
    Step("capa", lambda s: [b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"], Judge.OPTIONAL),
    Step("quorum", lambda s: [b"REPLCONF", b"quorum", s.quorum] if s.quorum else None, Judge.OPTIONAL),
    Step("psync", _psync, Judge.PSYNC),
)

# A primary that isn't open to us yet still answers PING with one of these: AUTH comes next.
_ASKS_FOR_AUTH = (b"-NOAUTH", b"-NOPERM", b"-ERR operation not permitted")
_NOT_NOW = (b"-NOMASTERLINK", b"-LOADING", b"-BUSY", b"-MASTERDOWN")


def _text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace")


class Handshake:
    """Walks the table. `start`, then `reply` with each reply line, give the next action."""

    __slots__ = ("_position", "_settings", "understood")

    def __init__(self, settings: Settings) -> None:
        self.understood: frozenset[str] = frozenset()  # the names of the steps that were answered without an error
        self._settings = settings
        self._position = -1

    @property
    def step(self) -> str:
        """The name of the step whose reply is awaited."""
        return HANDSHAKE[self._position].name

    def start(self) -> Action:
        """The first request."""
        return self._advance()

    def _advance(self) -> Send:
        while True:
            self._position += 1
            args = HANDSHAKE[self._position].request(self._settings)
            if args is not None:
                return Send(args)

    def reply(self, line: bytes) -> Action:
        """Judge one reply line, without its line end."""
        step = HANDSHAKE[self._position]
        if step.judge is Judge.PSYNC:
            verdict = psync_reply(line)
            if isinstance(verdict, Partial) and self._settings.replid == ASK_FULL:
                return Refused("+CONTINUE to who has nothing to go on from")
            return verdict
        if not line:
            return Wait()
        if line[:1] not in (b"+", b"-"):
            return Refused(f"unexpected reply to {step.name}: {_text(line[:100])}")
        if line[:1] == b"-":
            if line.startswith(_NOT_NOW):
                return Refused(_text(line[1:]), soon=True)
            forgiven = step.judge is Judge.OPTIONAL or (step.judge is Judge.PONG and line.startswith(_ASKS_FOR_AUTH))
            if not forgiven:
                failed = "Unable to AUTH to MASTER" if step.name == "auth" else step.name
                return Refused(f"{failed}: {_text(line[1:])}")
        else:
            self.understood |= {step.name}
        return self._advance()


def psync_reply(line: bytes) -> Action:
    """What PSYNC's reply line means. An empty line only keeps the connection alive."""
    words = line.split()
    if not words:
        return Wait()
    verdict: Action
    if words[0] == b"+FULLRESYNC":
        verdict = _full(words)
    elif words[0] == b"+CONTINUE":
        replid = words[1] if len(words) > 1 else None
        if replid is not None and not is_replid(replid):
            return Refused(f"malformed reply to PSYNC: {_text(line[:100])}")
        verdict = Partial(replid)
    elif line.startswith(_NOT_NOW):
        verdict = Refused(_text(line[1:]), soon=True)
    else:
        verdict = Refused(f"psync: {_text(line[1:101])}")
    return verdict


def _full(words: list[bytes]) -> Action:
    if len(words) == 3 and is_replid(words[1]) and words[2].isdigit() and len(words[2]) < 20:
        return Full(words[1], int(words[2]))
    return Refused("malformed +FULLRESYNC reply")


def retry_delay_s(failures: int, soon: bool) -> float:
    """How long to wait before attempt number `failures` + 1: a tenth of a second, doubling up to a few."""
    ceiling = 1.0 if soon else 3.0
    return float(min(ceiling, 0.1 * 2 ** min(failures, 10)))
