"""maxmemory-clients: who is counted, who is cut off, and in which order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from kvserver.admin.clients.memory_limit import CLIENT_BYTES, MORE, WATCH_BYTES, ClientLimit, held_by
from kvserver.client.reasons import Reason
from kvserver.config import Config
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import Session


class Wire:
    """A port that holds so many unsent bytes, and notes its end."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.unsent = 0
        self.session: Session | None = None

    def write(self, data: bytes) -> None:
        self.unsent += len(data)

    def end(self, reason: Reason, detail: str = "", own: bool = False) -> None:
        assert reason is Reason.EVICTED
        assert self.session is not None
        self.engine.close_session(self.session)

    def resume(self) -> None:
        pass

    def pending_bytes(self) -> int:
        return self.unsent

    def fileno(self) -> int:
        return -1


class House:
    """An engine with a limit on its clients, and clients that hold what the test says."""

    def __init__(self, limit: int, maxmemory: int = 0) -> None:
        self.engine = Engine(1, {})
        self.options = SimpleNamespace(maxmemory_clients=limit, maxmemory=maxmemory)
        self.limit = ClientLimit(self.engine, cast(Config, self.options))
        self.asked = 0
        self.limit.on_over = self._over
        self.engine.on_close.append(self.limit.forget)
        self.limit.configure()

    def _over(self) -> None:
        self.asked += 1

    def client(self, held: int) -> Session:
        wire = Wire(self.engine)
        session = wire.session = self.engine.open_session(cast(Any, wire))
        wire.unsent = held
        self.limit.note(session)
        return session

    def is_there(self, c: Session) -> bool:
        return c.id in self.engine.sessions


def test_the_largest_goes_until_the_rest_fits() -> None:
    """Clients are cut off from the largest down, and no more of them than needed."""
    house = House(300_000)
    clients = [house.client(held) for held in (10_000, 200_000, 50_000, 150_000)]
    assert house.asked == 1
    house.limit.settle()
    assert [house.is_there(c) for c in clients] == [True, False, True, True]
    assert house.limit.evicted == 1
    assert house.limit.total == sum(held_by(c) for c in clients if house.is_there(c)) <= 300_000


def test_a_client_that_holds_less_by_now_stays() -> None:
    """A size noted earlier doesn't cost a client its connection when its peer has taken the replies meanwhile."""
    house = House(100_000)
    first = house.client(90_000)
    cast(Wire, first.port).unsent = 0
    second = house.client(50_000)
    house.limit.settle()
    assert house.is_there(first)
    assert house.is_there(second)
    assert house.limit.evicted == 0


def test_a_spared_client_counts_and_stays() -> None:
    """CLIENT NO-EVICT spares a client; what it holds is the others' loss, and looking goes on only when that pays."""
    house = House(100_000)
    spared = house.client(500_000)
    spared.no_evict = True
    house.limit.settle()
    assert house.is_there(spared)
    assert house.limit.total > 100_000
    asked = house.asked
    house.limit.note(spared)
    assert house.asked == asked
    cast(Wire, spared.port).unsent += MORE * 2
    house.limit.note(spared)
    assert house.asked == asked + 1
    other = house.client(1)
    house.limit.settle()
    assert house.is_there(spared)
    assert not house.is_there(other)


def test_replicas_do_not_count() -> None:
    """What waits for replicas is no part of the sum, also when a client has become one."""
    house = House(100_000)
    replica = house.client(90_000)
    replica.kind = "replica"
    house.limit.note(replica)
    assert house.limit.total == 0
    house.client(90_000)
    house.limit.settle()
    assert house.limit.evicted == 0


def test_what_is_kept_for_a_client_counts() -> None:
    """Watched keys and subscriptions are part of what a client holds."""
    house = House(10**9)
    c = house.client(0)
    assert held_by(c) == CLIENT_BYTES
    c.watched = [(c.db, b"k%d" % i) for i in range(10)]
    assert held_by(c) == CLIENT_BYTES + 10 * WATCH_BYTES
    c.channels = {b"c%d" % i: None for i in range(100)}
    assert held_by(c) > CLIENT_BYTES + 10 * WATCH_BYTES + 100 * 100


def test_the_limit_may_be_a_share_of_maxmemory() -> None:
    """A negative limit is a percentage; lowering it cuts clients off, taking it away forgets them."""
    house = House(-10, maxmemory=1_000_000)
    clients = [house.client(40_000), house.client(45_000)]
    assert house.limit.limit == 100_000
    house.options.maxmemory = 600_000
    house.limit.configure()
    house.limit.settle()
    assert [house.is_there(c) for c in clients] == [True, False]
    house.options.maxmemory_clients = 0
    house.limit.configure()
    assert house.limit.total == 0
    assert not house.limit.sizes


def test_the_sum_follows_the_clients() -> None:
    """Each tick measures clients anew, and a client that is gone is no longer counted."""
    house = House(10**9)
    c, other = house.client(50_000), house.client(10)
    cast(Wire, c.port).unsent = 0
    house.limit.tick()
    assert house.limit.total == 2 * CLIENT_BYTES + 10
    house.engine.close_session(other)
    assert house.limit.total == CLIENT_BYTES
