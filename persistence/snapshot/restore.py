"""Putting decoded keys into databases.

The target's databases are filled directly, past hooks and observers: they are either new, or not yet served.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kvserver.engine.keys.hash_expiry import enlist
from kvserver.engine.keys.keyspace import BIG, Db
from kvserver.engine.values.types import size_of
from persistence.rdb.errors import RdbError
from persistence.rdb.model import Aux, Event, Function, Key
from persistence.rdb.read.strings import StringFiller


class Restorer:
    """Applies the decoder's events to `dbs`.

    Keys that expired before `now_ms` are left out, as a primary does, unless `keep_expired` says that
    somebody else decides (a replica waits for its primary). `gone` names those left out (database, key) if the
    file stands in a history which replicas may continue. `aux` and `functions` gather what else the file says.
    With `replace` a key that is there already gives way; without it that is an error.
    """

    def __init__(
        self, dbs: Sequence[Db], now_ms: int, keep_expired: bool = False, replace: bool = False
    ) -> None:
        self.dbs = dbs
        self.now_ms = now_ms
        self.keep_expired = keep_expired
        self.replace = replace
        self.filler = StringFiller(dbs, now_ms, keep_expired)  # for the decoder, which need not use it
        self.keys = 0
        self.expired = 0
        self.gone: list[tuple[int, bytes]] = []
        self.aux: dict[bytes, bytes] = {}
        self.functions: list[bytes] = []

    def apply(self, events: Iterable[Event]) -> None:
        """Apply events in their order.

        Raises:
            RdbError: a key stands in a database that does not exist, or is there already.
        """
        self.keys += self.filler.taken()
        for event in events:
            if type(event) is Key:
                self._store(event)
            elif type(event) is Aux:
                self.aux[event.name] = event.value
            elif type(event) is Function:
                self.functions.append(event.code)

    def _store(self, found: Key) -> None:
        expire_ms = found.expire_ms
        if 0 <= expire_ms <= self.now_ms and not self.keep_expired:
            self.expired += 1
            if b"repl-id" in self.aux:
                self.gone.append((found.db, found.key))
            return
        if found.db >= len(self.dbs):
            raise RdbError(
                f"Data file was created by a server configured to handle more than {len(self.dbs)} databases"
            )
        db = self.dbs[found.db]
        if not db.keys.set(found.key, found.value) and not self.replace:
            raise RdbError(f"RDB has duplicated key '{found.key.decode('latin-1')}' in DB {found.db}")
        self.keys += 1
        limits = db.state.limits
        if type(found.value) is not bytes and not limits.giants and size_of(found.value) > BIG:
            limits.giants = True
        enlist(db, found.key, found.value)
        if db.access is not None:
            if found.idle_s >= 0:
                db.access.set_idle(found.key, found.idle_s)
            if found.freq >= 0:
                db.access.set_frequency(found.key, found.freq)
        if expire_ms >= 0:
            db.keys.expire_at(found.key, expire_ms)
        elif self.replace:
            db.keys.persist(found.key)
