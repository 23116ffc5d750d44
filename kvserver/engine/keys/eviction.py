"""maxmemory: keeping the data set below a limit by evicting keys, or by refusing what needs more memory.

Theory of operation.  How much memory is in use is measured (`measure`, bytes), but measuring takes the longer
the more there is, so it is done at most a small part of the time.  In between the figure is carried forward:
requests add what they may bring, evicted keys take away what they held.  Before a request that may need memory runs,
the gate compares the figure with the limit; when it is above, and a measure says so too (the last one, where the next
is due in milliseconds; where measures are seldom, the figure will do), keys are evicted, for a time that
maxmemory-eviction-tenacity allows.  What is left is evicted between requests (`on_more`).  Only when nothing may be
evicted are requests refused.

Which keys go is decided in `choosing.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kvserver.config import Config
from kvserver.engine.command_table.row import DENYOOM, MAY_REPLICATE, Row
from kvserver.engine.commands.keys.object import memory_of
from kvserver.engine.keys.access import Access, Clock
from kvserver.engine.keys.choosing import Chooser
from kvserver.engine.keys.freeing import free_some
from kvserver.engine.keys.keyspace import Db
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.gates import PASS, is_loading
from kvserver.engine.run.session import Session
from kvserver.wire.resp import error

OOM = error("OOM command not allowed when used memory > 'maxmemory'.")
NAME = "memory"
GATED = DENYOOM | MAY_REPLICATE
"""What the gate looks at: commands that need memory, and scripts, which may call such."""
KEYS_A_LOOK = 8
"""Keys evicted between two looks at the clock."""
ENTRY_BYTES = 32
"""What removing an entry of a table gives free beside key and value: its place is freed only when many are."""
REQUEST_BYTES = 300
"""What a request may add beside its arguments: the objects' heads and the entries of tables."""
MEASURE_SHARE = 20
"""Measuring may take one part in so many of the time, and one in `UNSURE_SHARE` after unpredictable requests."""
UNSURE_SHARE = 4
SLOW_S = 0.001
SLOW_FACTOR = 10
"""A measure that takes longer than `SLOW_S` (millions of keys) is made that much more seldom still."""
CLIENTS_GRACE_S = 0.2
"""For so long after clients were cut off no key is evicted: their buffers take a moment to be freed."""
_IN_MULTI = frozenset(("exec", "discard", "quit", "reset"))
_UNBOUNDED = frozenset(
    (
        "setrange",
        "setbit",
        "bitfield",
        "bitop",
        "copy",
        "sort",
        "restore",
        "sunionstore",
        "sinterstore",
        "sdiffstore",
        "zunionstore",
        "zinterstore",
        "zdiffstore",
        "zrangestore",
        "georadius",
        "georadiusbymember",
        "geosearchstore",
        "eval",
        "evalsha",
        "fcall",
        "exec",
    )
)
"""Commands that may add much more than their arguments."""


class Evictor:
    """Keeps one engine below its limit; see the module's theory of operation."""

    def __init__(
        self,
        engine: Engine,
        options: Config,
        measure: Callable[[], int],
        clock_s: Callable[[], float],
        cost_s: Callable[[], float] | None = None,
    ) -> None:
        self.engine = engine
        self.options = options
        self.measure = measure  # bytes in use that count against the limit
        self.clock_s = clock_s
        self.cost_s = cost_s or clock_s  # the processor's time of this thread: a busy machine doesn't stretch it
        self.may_free: Callable[[], bool] = _always  # False while a snapshot reads what was let go
        self.on_hold: Callable[[], bool] = _never  # True while nothing may change (CLIENT PAUSE)
        self.cut_clients: Callable[[], bool] = _never  # ends clients with large buffers; True when it did
        self.on_more: Callable[[], None] = _nothing  # asks the shell to call `go_on` soon
        self.on_cycle: Callable[[float], None] = _unheard  # told the seconds that an eviction took
        self.chooser = Chooser(engine, options)
        self.used = self.sure = 0  # bytes: measured and carried forward; measured, less what was evicted since
        self.measured_at_s = 0.0
        self.measure_took_s = 0.0
        self.unsure = False
        self.failed = False  # above the limit, and nothing may be evicted
        self.more = False  # the shell has been asked to go on
        self.exceeded_s = 0.0  # how long more was in use than allowed, with an eviction not yet at its end
        self.exceeding_since_s: float | None = None
        self.clients_cut_s = -CLIENTS_GRACE_S  # when clients were cut off last
        self.clock: Clock | None = None
        self.spared: Callable[[], bool] | None = None  # set once a client's commands shall not count as use

    # -- options ----------------------------------------------------------------------------------------------

    def configure(self) -> None:
        """Put the options in force."""
        options, engine = self.options, self.engine
        policy = options.maxmemory_policy
        lru, lfu = policy.endswith("lru"), policy.endswith("lfu")
        self.chooser.pool.clear()
        if not (lru or lfu):
            self._drop_access()
        elif self.clock is None or self.clock.lfu != lfu:
            self._drop_access()
            state = engine.state
            now_ms = state.wall_us() // 1000  # `state.now_ms` is 0 before the loop runs
            self.clock = Clock(lfu, options.lfu_log_factor, options.lfu_decay_time, state.rng, now_ms)
            self.clock.spared = self.spared
            for db in engine.dbs:
                db.access = Access(self.clock)
        if self.clock is not None:
            self.clock.log_factor, self.clock.decay_minutes = options.lfu_log_factor, options.lfu_decay_time
        self.watch()
        if options.maxmemory:
            self.measured_at_s = 0.0
            self.unsure = True  # the first request measures
            self._ask_for_more()

    def heed_no_touch(self) -> None:
        """From now on ask of each use of a key whether it counts (CLIENT NO-TOUCH)."""
        self.spared = partial(_spared, self.engine)
        if self.clock is not None:
            self.clock.spared = self.spared

    def _drop_access(self) -> None:
        for db in self.engine.dbs:
            if db.access is not None:
                self.engine.state.trash.append(db.access.clear())
                db.access = None
        self.clock = None

    def exempt(self) -> bool:
        """A replica leaves the limit to its primary, unless replica-ignore-maxmemory is off."""
        return self.engine.state.follows and self.options.replica_ignore_maxmemory

    def watch(self) -> None:
        """Have the gate asked, or not."""
        wanted = GATED if self.options.maxmemory and not self.exempt() else 0
        if self.engine.deny_masks.get(NAME, 0) != wanted:
            self.failed = False
            self.measured_at_s = 0.0
            self.unsure = True  # the first request measures
            self.engine.forbid(NAME, wanted)

    # -- how much is in use -----------------------------------------------------------------------------------

    def fresh(self, share: int) -> int:
        """Measure if that takes no more than one part in `share` of the time; return the bytes in use."""
        now = self.clock_s()
        if self.measure_took_s > SLOW_S:
            share *= SLOW_FACTOR
        if now - self.measured_at_s >= self.measure_took_s * share:
            began = self.cost_s()
            self.used = self.sure = self.measure()
            took = self.cost_s() - began
            self.measured_at_s = self.clock_s()
            self.measure_took_s = min(took, self.measure_took_s * 1.2 or took)  # caches may have been cold
            self.unsure = False
        return self.used

    def above(self) -> int:
        """Bytes in use above the limit; 0 or less when all is well."""
        limit = self.options.maxmemory
        if self.unsure:
            self.fresh(UNSURE_SHARE)
        if self.used <= limit:
            return 0
        used = self.fresh(MEASURE_SHARE)
        # Many requests bring nothing, and a key evicted for a guess is lost; before it refuses, `_evict` measures.
        guess = self.measure_took_s > SLOW_S or self.options.maxmemory_policy == "noeviction"
        return (used if guess else self.sure) - limit

    # -- requests ---------------------------------------------------------------------------------------------

    def gate(self, engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """Evict before a request that may need memory; refuse it when that isn't possible."""
        if not engine.deny_masks.get(NAME):
            return PASS
        if c.kind == "script":
            # What was found when the script began holds until it ends.
            return OOM if self.failed and row.flags & DENYOOM else PASS
        if is_loading(engine) or self.on_hold():
            return PASS
        if self.unsure or self.used > self.options.maxmemory or self.failed:
            self.evict()
        if row.flags & GATED:
            self.used += sum(map(len, args)) + REQUEST_BYTES
        if row.name in _UNBOUNDED:
            self.unsure = True
        return OOM if self.failed and _needs_memory(c, row) else PASS

    def tick(self) -> None:
        """Look at the memory in use whether requests come or not; to be called ten times a second."""
        if self.clock is not None:
            self.clock.tick(self.engine.state.now_ms)
        self.watch()
        self._clients_were_cut(self.clock_s())
        if self.engine.deny_masks.get(NAME):
            self.fresh(MEASURE_SHARE)
            self.go_on()

    def look(self) -> None:
        """Have the limit honoured now, before somebody is told how much is in use."""
        if self.engine.deny_masks.get(NAME):
            self.fresh(UNSURE_SHARE)
            self.go_on()

    def go_on(self) -> None:
        """Evict what an earlier slice has left."""
        self.more = False
        idle = self.engine.deny_masks.get(NAME) and not is_loading(self.engine)
        if idle and not self.engine.depth and not self.on_hold():
            self.evict()

    # -- eviction ---------------------------------------------------------------------------------------------

    def evict(self) -> None:
        """Evict until all is well, the time is up, or nothing is left to evict."""
        self._evict()
        if self.failed or self.more or self.exceeding_since_s is not None:
            self._note_exceeding()

    def _evict(self) -> None:
        too_much = self.above()
        if too_much <= 0:
            self.failed = False
            return
        began_s = self.clock_s()
        if self._clients_were_cut(began_s):
            return
        end_s = began_s + time_limit_s(self.options.maxmemory_eviction_tenacity)
        state = self.engine.state
        if state.trash and self.may_free():
            # What was deleted already may be enough.
            free_some(state, lambda: self.clock_s() < end_s)
            if state.trash:
                self.failed = False
                self._ask_for_more()
                return
            too_much = self._measured() - self.options.maxmemory
        failed = not self._evict_bytes(too_much, end_s) and not state.trash
        # What is carried forward is an estimate, and a refusal needs certainty.
        self.failed = failed and (self.failed or self._measured() > self.options.maxmemory)
        if state.trash and self.may_free():
            free_some(state, lambda: self.clock_s() < end_s)
        self.engine.log_outside()
        self.on_cycle(self.clock_s() - began_s)

    # -- how long the limit was exceeded ----------------------------------------------------------------------

    def _note_exceeding(self) -> None:
        """Take note whether an eviction ended with too much still in use."""
        now_s = self.clock_s()
        if self.failed or self.more:
            if self.exceeding_since_s is None:
                self.exceeding_since_s = now_s
        elif self.exceeding_since_s is not None:
            self.exceeded_s += now_s - self.exceeding_since_s
            self.exceeding_since_s = None

    def exceeding_ms(self) -> int:
        """For how long more has been in use than allowed; 0 when it isn't."""
        since_s = self.exceeding_since_s
        return 0 if since_s is None else int((self.clock_s() - since_s) * 1000)

    def exceeded_ms(self) -> int:
        """For how long more was in use than allowed, all times together."""
        return int(self.exceeded_s * 1000) + self.exceeding_ms()

    def reset_stats(self) -> None:
        """Begin to count anew."""
        self.exceeded_s = 0.0
        if self.exceeding_since_s is not None:
            self.exceeding_since_s = self.clock_s()

    def _clients_were_cut(self, now_s: float) -> bool:
        """End clients whose buffers are too large; True when that was done now or a moment ago."""
        if self.cut_clients():
            self.clients_cut_s = now_s
        return now_s - self.clients_cut_s < CLIENTS_GRACE_S

    def _measured(self) -> int:
        self.measured_at_s = float("-inf")
        return self.fresh(1)

    def _evict_bytes(self, too_much: int, end_s: float) -> bool:
        """Evict keys that hold so many bytes; False when there are none left to evict."""
        evicted = 0
        while too_much > 0:
            found = self.chooser.choose()
            if found is None:
                return False
            db, key = found
            size = _size_of_key(db, key)
            db.evict(key)
            too_much -= size
            self.used -= size
            self.sure -= size
            evicted += 1
            if evicted % KEYS_A_LOOK == 0 and too_much > 0 and self.clock_s() > end_s:
                self._ask_for_more()
                return True
        return True

    def _ask_for_more(self) -> None:
        if not self.more:
            self.more = True
            self.on_more()


def time_limit_s(tenacity: int) -> float:
    """How long eviction may go on at a time: up to half a millisecond, then 15 % more a step; 100 is for ever."""
    if tenacity <= 10:
        return tenacity * 50e-6
    return 500e-6 * 1.15 ** (tenacity - 10) if tenacity < 100 else float("inf")


def _needs_memory(c: Session, row: Row) -> bool:
    """Whether a request may make the data set, or a transaction's queue, larger."""
    if c.queue is not None and row.name not in _IN_MULTI:
        return True
    if row.name == "exec":
        return any(queued.flags & DENYOOM for queued, _ in c.queue or ())
    return bool(row.flags & DENYOOM)


def _spared(engine: Engine) -> bool:
    """Whether the client that is served asked not to touch keys; TOUCH counts all the same."""
    c = engine.current
    return c is not None and c.no_touch and c.row is not None and c.row.name != "touch"


def _size_of_key(db: Db, key: bytes) -> int:
    """Bytes that evicting a key gives free, about."""
    value = db.keys.get(key)
    size = db.keys.cost(key) + (0 if isinstance(value, bytes | bytearray) else memory_of(value))
    return size if db.access is None else size + ENTRY_BYTES


def _always() -> bool:
    return True


def _never() -> bool:
    return False


def _nothing() -> None:
    """No shell is attached."""


def _unheard(seconds: float) -> None:
    """Nobody keeps spikes."""
