"""A data set on its way in: an RDB stream turned into tables that nobody sees until they are complete. Pure."""

from __future__ import annotations

from kvserver.engine.commands.keys.databases import empty
from kvserver.engine.keys.access import Access, Clock
from kvserver.engine.keys.keyspace import Db, State
from kvserver.engine.run.executor import Engine
from kvserver.engine.values.limits import Limits
from persistence.rdb.read.decoder import Decoder
from persistence.rdb.read.values import EngineBuilders
from persistence.snapshot.restore import Restorer
from replication.history import stream_database


class Incoming:
    """Databases being received, apart from those in force.

    Keys that have expired are kept: their primary will delete them, and say so in the stream. With the `clock` by
    which the databases in force note how keys are used, what the stream tells of that is kept as well.
    """

    def __init__(
        self, databases: int, limits: Limits, verify_checksum: bool = True, clock: Clock | None = None
    ) -> None:
        state = State()
        state.limits = limits
        dbs = [Db(i, state) for i in range(databases)]
        if clock is not None:
            for db in dbs:
                db.access = Access(clock)
        self._decoder = Decoder(EngineBuilders(limits), verify_checksum)
        self._restorer = Restorer(dbs, 0, keep_expired=True)
        self._decoder.filler = self._restorer.filler

    @property
    def keys(self) -> int:
        """How many keys have been read."""
        return self._restorer.keys

    @property
    def aux(self) -> dict[bytes, bytes]:
        """What the snapshot says of itself."""
        return self._restorer.aux

    @property
    def functions(self) -> list[bytes]:
        """The sources of the function libraries."""
        return self._restorer.functions

    @property
    def stream_db(self) -> int:
        """The database that the stream behind this snapshot stands at."""
        return stream_database(self._restorer.aux, len(self._restorer.dbs))

    def feed(self, piece: bytes) -> None:
        """Decode the next bytes; the work is proportional to their number.

        Raises:
            RdbError: they are no RDB, or name a database this node doesn't have.
        """
        self._restorer.apply(self._decoder.feed(piece))

    def finish(self) -> None:
        """Raises RdbError unless the end has been reached."""
        self._decoder.finish()

    def install(self, engine: Engine) -> None:
        """Put the new databases in force; the old ones are freed in slices."""
        for db, new in zip(engine.dbs, self._restorer.dbs, strict=True):
            empty(engine, db)
            db.keys, db.field_expires = new.keys, new.field_expires
            if db.access is not None and new.access is not None and new.access.clock is db.access.clock:
                db.access = new.access  # else another policy was chosen meanwhile
