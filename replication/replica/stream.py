"""Applying the primary's stream. Pure: bytes in, the data set changed, the same bytes into the own log.

Theory of operation. Commands run without gates, in the session of the stream, which knows the database that
SELECT chose. What was applied is appended to the node's own log verbatim, so that its offset, its backlog and
the replicas that follow it are exactly its primary's. Only whole units are appended: a transaction not yet
complete is kept back, for whoever asks to continue from our offset must not begin inside it. `stop` ends it even
from inside: once the node follows no more, what is left of the bytes at hand is nobody's.

What the leader of a quorum says stands between the commands, in lines that begin with ``>`` (frames): they are handed
on, and aren't part of the log. While the applier is `closed`, waiting for one of them, a command is an error.
"""

from __future__ import annotations

from collections.abc import Callable

from kvserver.engine.command_table.naming import find
from kvserver.engine.command_table.row import WRITE
from kvserver.engine.fast.way import FastWay
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.log import CommandLog
from kvserver.engine.run.session import Session
from kvserver.wire.resp import Parser, ProtocolError

PASSING = frozenset((b"PING", b"REPLCONF", b"PUBLISH", b"SPUBLISH"))
"""Commands of a stream that change nothing: replicas of this one need them, and no file keeps them."""


class Applier:
    """Applies one connection's worth of stream; a new connection begins with a new one.

    `failures` counts commands of the stream that were answered with an error, which means that this copy and
    its primary disagree; `on_failure(command name, error)` hears of each.
    """

    __slots__ = (
        "_engine", "_fast", "_fed", "_unlogged", "_kept_from", "_parser", "_passing", "closed", "failures",
        "on_failure", "on_frame", "on_note", "session", "stopped", "_whole",
    )  # fmt: skip

    def __init__(self, engine: Engine, session: Session, on_failure: Callable[[str, str], None], max_bulk: int) -> None:
        self.session = session
        self.stopped = False
        self.closed = False
        self.on_frame: Callable[[list[bytes]], None] = _unexpected
        self.on_note: Callable[[list[bytes], int, int], None] | None = None  # a PING with a text: its first, last byte
        self.failures = 0
        self.on_failure = on_failure
        self._engine = engine
        self._fast = FastWay(engine)
        self._parser = Parser(max_bulk)
        self._fed = 0  # bytes ever fed
        self._unlogged: list[bytes] = []  # what was fed and isn't in the own log yet, as it came
        self._kept_from = 0  # the number of the first of them
        self._whole = 0  # how many bytes ever fed belong to complete units that were applied
        self._passing: list[tuple[int, int]] = []  # of those, what needn't be kept: from and up to which number

    def stop(self) -> None:
        """Apply nothing more, whatever has been fed; what has been applied is in the own log."""
        self.settle()
        self.stopped = True

    def settle(self) -> None:
        """Have in the own log what has been applied, also from inside."""
        if self._whole > self._kept_from:
            self._log(self._engine.log, self._whole)

    def apply(self, data: bytes, now_ms: int, now_ns: int) -> None:
        """Apply the commands that `data` completes; `now_ns` is the executor's clock.

        Raises:
            ProtocolError: the primary sent something that is no stream.
        """
        engine = self._engine
        state = engine.state
        state.now_ms = now_ms
        state.repeat(True)
        engine.last_ns = now_ns
        self._fed += len(data)
        self._unlogged.append(data)
        self._parser.feed(data)
        try:
            self._run(engine, self.session)
        except ProtocolError:
            raise
        except Exception:
            # What was applied isn't in the log yet: the primary would be asked for it again.
            engine.broken("the primary's stream")
        finally:
            state.repeat(False)
            self.settle()

    def _log(self, log: CommandLog, whole: int) -> None:
        try:
            self._append(log, whole)
        except Exception:
            self._engine.broken("the primary's stream")

    def _append(self, log: CommandLog, whole: int) -> None:
        """Append what is whole, that which nobody keeps apart from the rest."""
        unlogged, start = b"".join(self._unlogged), self._kept_from
        at = 0
        for first, behind in self._passing:
            if first - start > at:
                log.append_raw(unlogged[at : first - start])
            at = behind - start
            log.append_passing(unlogged[first - start : at])
        self._passing.clear()
        count = whole - start
        if count > at:
            log.append_raw(unlogged if not at and count == len(unlogged) else unlogged[at:count])
        self._unlogged = [unlogged[count:]] if count < len(unlogged) else []
        self._kept_from = whole

    def _run(self, engine: Engine, c: Session) -> None:
        """Execute what is whole."""
        parser = self._parser
        rows = engine.rows
        while not self.stopped:
            if c.queue is None and not self.closed and self._fast.repeat(c, parser):
                self._whole = self._fed - parser.buffered()
            args = parser.next()
            if args is None:
                return
            row = find(rows, args)
            if row is None and args[0][:1] == b">":
                self._frame(args)
                continue
            if self.closed:
                raise ProtocolError("the stream begins before the leader's welcome")
            if row is not None and c.queue is None:
                reply = engine.call(c, row, args)
            else:
                reply = engine.execute(c, args)  # which queues it, or says what is wrong
            if reply and reply[0] == 45:
                self.failures += 1
                self.on_failure(_shown(args[0]), _shown(reply[1:].rstrip()))
            if c.queue is None and not self.stopped:
                behind = self._fed - parser.buffered()
                if row is not None and not row.flags & WRITE and args[0].upper() in PASSING:
                    if len(args) == 2 and self.on_note is not None:
                        self._note(args, behind)
                        continue
                    self._passing.append((self._whole, behind))
                self._whole = behind

    def _note(self, args: list[bytes], behind: int) -> None:
        """A PING with a text: whoever reads it wants to know where in the log it is."""
        assert self.on_note is not None
        self.settle()
        first = self._engine.log.offset + 1
        self._whole = behind
        self.settle()
        self.on_note(args, first, self._engine.log.offset)

    def _frame(self, args: list[bytes]) -> None:
        """A frame, behind what was applied so far; it isn't part of the log."""
        if self.session.queue is not None:
            raise ProtocolError("a quorum's frame inside a transaction")
        self.settle()
        behind = self._fed - self._parser.buffered()
        self._unlogged = [b"".join(self._unlogged)[behind - self._whole :]]
        self._kept_from = self._whole = behind
        self.on_frame(args)


def _unexpected(args: list[bytes]) -> None:
    raise ProtocolError("a quorum's frame from who leads no quorum")


def _shown(raw: bytes) -> str:
    return raw[:200].decode("utf-8", "backslashreplace")
