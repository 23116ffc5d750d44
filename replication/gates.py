"""What replication keeps clients from doing: writes to a replica, to a primary with too few; reads of stale data."""

from __future__ import annotations

import math
from collections.abc import Callable

from kvserver.config import Config
from kvserver.engine.command_table.row import NOT_STALE, WRITE, Row
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.gates import NOREPLICAS, PASS
from kvserver.engine.run.session import Session
from kvserver.wire.resp import error
from replication.primary.attached import Attached, good_until_s
from replication.primary.unreplicated import Unreplicated


class Denials:
    """Puts the gates of replication in force as the node's role, its replicas and the options want it.

    Too few replicas is a matter of time as well, since one that is silent for too long doesn't count: that gate is
    in force as long as the option is set, and compares the time with the one until which there are enough.
    """

    def __init__(self, engine: Engine, config: Config) -> None:
        self._engine = engine
        self._config = config
        self._enough_until_ms = math.inf  # Unix milliseconds
        engine.set_gate("few-replicas", self.few_replicas)

    def few_replicas(self, engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """With min-replicas-to-write, a primary takes writes only while enough replicas are well."""
        return PASS if engine.state.now_ms <= self._enough_until_ms else NOREPLICAS

    def refresh(self, link_up: bool | None, replicas: list[Attached], now_s: float) -> None:
        """Look at everything anew, whenever any of it has changed; `link_up` is None on a primary.

        `now_s` is on the clock of the replicas' acknowledgements.
        """
        engine, config = self._engine, self._config
        stale = link_up is False and not config.replica_serve_stale_data
        engine.forbid("readonly", WRITE if link_up is not None and config.replica_read_only else 0)
        if link_up is None or config.replica_read_only:
            engine.state.own_volatile = None
        elif engine.state.own_volatile is None:
            engine.state.own_volatile = {}
        engine.forbid("stale", NOT_STALE if stale else 0)
        until_s = None
        if link_up is None:
            until_s = good_until_s(replicas, config.min_replicas_to_write, config.min_replicas_max_lag)
        if until_s is not None:
            self._enough_until_ms = engine.state.wall_us() / 1000 + (until_s - now_s) * 1000
        engine.forbid("few-replicas", 0 if until_s is None else WRITE)


def bounded(config: Config) -> bool:
    """Whether a bound is stated on what no replica has acknowledged."""
    return bool(config.async_max_unreplicated_ms or config.async_max_unreplicated_bytes)


class Bound:
    """The gate `unreplicated`: refuses writes beyond the bound, and notes those that pass. `clock`: rising seconds."""

    def __init__(self, config: Config, clock: Callable[[], float]) -> None:
        self.unreplicated = Unreplicated()
        self._config = config
        self._clock = clock

    def follow_role(self, engine: Engine, leads: bool) -> None:
        """Put the gate in force where a bound is stated on a primary; count anew when that begins."""
        on = leads and bounded(self._config)
        if on and not engine.deny_masks.get("unreplicated"):
            self.unreplicated.begin(engine.log.offset)
        engine.forbid("unreplicated", WRITE if on else 0)

    def age_ms(self, engine: Engine) -> int:
        """How old the oldest write is that no replica has acknowledged, 0 for none."""
        return int(self.unreplicated.age_s(engine.log.offset, self._clock()) * 1000)

    def answer(self, engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """Refuse a write, with the numbers, or note when it came."""
        most_ms, most_bytes = self._config.async_max_unreplicated_ms, self._config.async_max_unreplicated_bytes
        end, now_s = engine.log.offset, self._clock()
        age_ms = int(self.unreplicated.age_s(end, now_s) * 1000)
        if most_ms and age_ms > most_ms:
            return error(f"NOREPLICAS The oldest write that no replica has acknowledged is {age_ms} ms old "
                         f"(async-max-unreplicated-ms {most_ms}).")  # fmt: skip
        length = self.unreplicated.length(end)
        if most_bytes and length > most_bytes and self.unreplicated.waiting(end):
            return error(f"NOREPLICAS No replica has acknowledged the last {length} bytes "
                         f"(async-max-unreplicated-bytes {most_bytes}).")  # fmt: skip
        self.unreplicated.write(end, now_s)
        return PASS
