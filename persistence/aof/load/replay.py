"""One file of the append-only file put back into the engine. Pure: bytes in, the data set changed.

Theory of operation.  A file is commands, or a snapshot (RDB) which commands may follow.  Commands run as they were
logged, past gates, observers and statistics, in a session of their own.  While a replay goes on nothing is logged
and nothing expires by itself: a key whose time passed long ago may be needed by the next command, and its DEL
follows where it belongs.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from kvserver.engine.command_table import naming
from kvserver.engine.command_table.row import Row
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.gates import PASS
from kvserver.engine.run.session import REPLAY, NoPort, Session
from kvserver.errors import CommandError
from persistence.aof.load.position import Position
from persistence.aof.records import AofFormatError, RecordDecoder, Truncation
from persistence.rdb.errors import RdbError
from persistence.rdb.read.decoder import Decoder
from persistence.rdb.read.values import EngineBuilders
from persistence.snapshot.restore import Restorer

MAGIC = b"REDIS"


class UnknownCommandError(ValueError):
    """The file has a command that this server hasn't."""


class Replaying:
    """The state of the engine while files are replayed: a context."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._logging = False
        self._repeating = False

    def __enter__(self) -> None:
        state = self._engine.state
        self._logging, self._repeating = state.logging, state.repeating
        state.logging = False
        state.repeat(True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.state.logging = self._logging
        self._engine.state.repeat(self._repeating)


class Replay:
    """One file's way into the engine; see the module's theory of operation.

    `restore_functions` gets the libraries that a snapshot holds, as soon as it is complete. `failures` counts the
    commands that were answered with an error. `position` counts where the log stands, through all files; `aux` is what
    a snapshot says of itself. `selected` is the database that the last command left selected, None before the first.
    """

    def __init__(
        self,
        engine: Engine,
        restore_functions: Callable[[list[bytes]], None],
        verify_checksum: bool = True,
        max_bulk: int = 512 << 20,
        position: Position | None = None,
    ) -> None:
        self.snapshot_keys = 0
        self.aux: dict[bytes, bytes] = {}
        self.is_snapshot = False
        self.failures = 0
        self.selected: int | None = None
        self._engine = engine
        self._restore_functions = restore_functions
        self._verify = verify_checksum
        self._max_bulk = max_bulk
        self._session = engine.internal_session("loader", NoPort())
        self._begun = False
        self._decoder: Decoder | None = None
        self._restorer: Restorer | None = None
        self._records = RecordDecoder(0, max_bulk)
        self._position = Position() if position is None else position
        self._position.begin()
        self._head = b""

    @property
    def offset(self) -> int:
        """How many bytes have been understood."""
        return self._records.offset if self._decoder is None else self._decoder.offset

    def feed(self, data: bytes) -> None:
        """Apply the next bytes of the file.

        Raises:
            RdbError, AofFormatError: the file is damaged.
            UnknownCommandError: it holds a command that this server hasn't.
        """
        if not self._begun:
            data = self._head + data
            if len(data) < len(MAGIC) and MAGIC.startswith(data):
                self._head = data
                return
            self._begun = True
            if data.startswith(MAGIC):
                self.is_snapshot = True
                self._decoder = Decoder(EngineBuilders(self._engine.state.limits), self._verify)
                self._restorer = Restorer(self._engine.dbs, 0, keep_expired=True)
                self._decoder.filler = self._restorer.filler
        if self._decoder is not None:
            data = self._feed_snapshot(self._decoder, data)
        if data:
            self._feed_commands(data)

    def finish(self) -> Truncation | None:
        """Say that the file ends here; what is wrong if it ends too early.

        Raises:
            RdbError: the snapshot isn't complete.
        """
        if self._decoder is not None:
            self._decoder.finish()
        truncation = self._records.truncation
        self._position.end(self._records.offset if truncation is None else truncation.valid_up_to)
        if not self._begun and self._head:
            return Truncation(0, 0, "Expected a command", False)
        return truncation

    def _feed_snapshot(self, decoder: Decoder, data: bytes) -> bytes:
        """Decode more of the snapshot; what follows it."""
        assert self._restorer is not None
        events = decoder.feed(data)
        try:
            self._restorer.apply(events)
        except RdbError as error:
            raise error if error.offset >= 0 else error.at(decoder.offset)
        if not decoder.ended:
            return b""
        self.snapshot_keys = self._restorer.keys
        if self._restorer.functions:
            self._restore_functions(self._restorer.functions)
        self.aux = self._restorer.aux
        offset = self.aux.get(b"repl-offset", b"")
        self._position.begin(decoder.offset, int(offset) if offset.isdigit() and len(offset) < 20 else None)
        self._decoder = self._restorer = None
        self._records = RecordDecoder(decoder.offset, self._max_bulk)
        return decoder.rest

    def _feed_commands(self, data: bytes) -> None:
        failure: AofFormatError | None = None
        try:
            records = self._records.feed(data)
        except AofFormatError as error:
            failure = error
            records = self._records.salvaged
        self._position.read(records, self._records.annotations)
        engine = self._engine
        previous = engine.current
        engine.current = self._session
        try:
            for args, _ in records:
                self._run(args)
        finally:
            engine.current = previous
            engine.ready.clear()
        if records:
            self.selected = self._session.db.index
        if failure is not None:
            raise failure

    def _run(self, args: list[bytes]) -> None:
        engine, c = self._engine, self._session
        row = naming.find(engine.rows, args)
        if row is None:
            if naming.resolve(engine.rows, args) is None:
                raise UnknownCommandError(f"Unknown command '{args[0][:128].decode('utf-8', 'backslashreplace')}'")
            self.failures += 1
            return
        if c.queue is not None and engine.ask(c, row, args, REPLAY) != PASS:
            return
        c.row, c.args = row, args
        c.no_block = True
        self._answer(c, row, args)

    def _answer(self, c: Session, row: Row, args: list[bytes]) -> None:
        try:
            reply = row.fn(c, args)
        except CommandError:
            reply = b"-"
        if reply and reply[0] == 45:
            self.failures += 1
