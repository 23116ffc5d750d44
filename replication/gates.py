"""The gates of replication: what a replica, a stale one, or a primary with too few replicas refuses."""

from __future__ import annotations

from collections.abc import Callable

from kvserver.config import Config
from kvserver.engine.command_table.row import NOT_STALE, WRITE, Row
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.gates import PASS
from kvserver.engine.run.session import Session
from kvserver.wire.resp import error
from replication.primary.attached import Attached, enough_replicas
from replication.primary.unreplicated import Unreplicated


def refresh(engine: Engine, config: Config, link_up: bool | None, replicas: list[Attached], now_s: float) -> None:
    """Have the gates asked, or not, as the present state wants; `link_up` is None on a primary."""
    few = link_up is None and not enough_replicas(
        replicas, config.min_replicas_to_write, config.min_replicas_max_lag, now_s
    )
    stale = link_up is False and not config.replica_serve_stale_data
    engine.forbid("readonly", WRITE if link_up is not None and config.replica_read_only else 0)
    if link_up is None or config.replica_read_only:
        engine.state.own_volatile = None
    elif engine.state.own_volatile is None:
        engine.state.own_volatile = {}
    engine.forbid("stale", NOT_STALE if stale else 0)
    engine.forbid("few-replicas", WRITE if few else 0)


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
