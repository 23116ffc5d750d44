"""An event loop in virtual time, and processes that live on it: they are killed and paused as the system does it.

Theory of operation. The loop has no selector: what is due runs, and when nothing is, time jumps to the next timer.
A `Process` is a context variable. Whatever a program schedules carries it in its handle's context, so the loop knows
whose each handle is. The handles of a killed process are dropped (nothing of it runs any more, no `finally`: kill -9),
those of one that stands still are kept until it goes on (SIGSTOP, or a disk that makes it wait). "The kernel", whose
handles belong to no process, goes on meanwhile: it accepts connections and takes bytes, as far as windows let it.

Each look at the clock takes a microsecond, so that work done in slices of time comes to its end.
"""

from __future__ import annotations

import asyncio
import heapq
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulation.whole.world import Host

BOOT_NS = 1_000_000 * 10**9
"""Monotonic clocks begin here: machines that have been up for days."""
LOOK_NS = 1_000
TURNS_MAX = 3_000_000
"""Handles run in one story; more means that somebody goes in circles."""

CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)
KERNEL = Context()
"""The context of handles that belong to no process."""


class Stuck(BaseException):
    """Nothing is scheduled any more, or the story takes too many turns."""


class Gone(BaseException):
    """Unwinds what a process was doing when it ended itself."""


class Process:
    """A process of the simulated system. `app` is what runs in it, for checkers: a node or a sentinel."""

    def __init__(self, host: Host, name: str) -> None:
        self.host = host
        self.name = name
        self.alive = True
        self.holds = 0
        """How many reasons there are for it to stand still."""
        self.held: list[Handle] = []
        self.app: Any = None
        self.failure = ""
        """Why it ended by itself, "" if it didn't."""
        self.rng = Random(host.world.rng.getrandbits(64))
        self.pid = host.world.next_pid()
        self.ends: dict[Any, None] = {}
        """Its ends of connections."""
        self.signals: dict[int, tuple[Callable[..., object], tuple[Any, ...]]] = {}
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.context = copy_context()
        self.context.run(CURRENT.set, self)

    def begin(self, main: Callable[[], Coroutine[Any, Any, int]]) -> None:
        """Run the program."""
        self.host.world.loop.create_task(self._main(main), context=self.context)

    async def _main(self, main: Callable[[], Coroutine[Any, Any, int]]) -> None:
        status = await main()
        if self.alive:
            self.failure = "" if not status else f"status {status}"
            self.die()

    def exit(self, status: int) -> None:
        """The program ends itself, at once."""
        self.failure = f"exit {status}"
        self.die()
        raise Gone

    def die(self, silent: bool = False) -> None:
        """kill -9. The kernel closes what is open, and tells the peers unless the machine itself is gone."""
        if not self.alive:
            return
        self.alive = False
        self.holds = 0
        self.held.clear()
        GRAVEYARD.extend(self.tasks)
        self.host.closed(self)
        for end in list(self.ends):
            end.vanish(silent)
        self.ends.clear()
        self.host.world.say("dies", self.failure)

    def stand(self, nanoseconds: int) -> None:
        """Stand still for a while."""
        if self.alive:
            self.holds += 1
            self.host.world.loop.after_ns(nanoseconds, self.go_on)

    def go_on(self) -> None:
        """One reason to stand still has gone."""
        self.holds = max(0, self.holds - 1)
        if not self.holds and self.alive:
            held, self.held = self.held, []
            self.host.world.loop.ready.extend(held)

    def signal(self, number: int) -> None:
        """Send a signal; one that isn't watched ends the process."""
        found = self.signals.get(number)
        if found is None:
            self.die()
        else:
            self.host.world.loop.call_soon(found[0], *found[1], context=self.context)


GRAVEYARD: list[object] = []
"""Tasks of killed processes. Collecting them would run their `finally`, which kill -9 doesn't allow."""


class Handle:
    """What is scheduled: asyncio's Handle and TimerHandle, without what nobody here asks of them."""

    __slots__ = ("_args", "_callback", "_context", "_stopped", "_when_s")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context, when_s: float) -> None:
        self._callback, self._args, self._context, self._when_s = callback, args, context, when_s
        self._stopped = False

    def cancel(self) -> None:
        """It won't run."""
        self._stopped = True
        self._callback, self._args = _nothing, ()

    def cancelled(self) -> bool:
        """Whether it won't."""
        return self._stopped

    def when(self) -> float:
        """When it is due, seconds."""
        return self._when_s

    def get_context(self) -> Context:
        """In which it runs."""
        return self._context


class Loop(asyncio.BaseEventLoop):
    """See the module's theory of operation."""

    def __init__(self, say: Callable[..., None]) -> None:
        super().__init__()
        self.now_ns = BOOT_NS
        self.turns = 0
        self.ready: deque[Handle] = deque()
        self.failures: list[str] = []
        self._heap: list[tuple[int, int, Handle]] = []
        self._order = 0
        self._say = say

    def time(self) -> float:
        """Now, seconds."""
        return self.now_ns / 1e9

    def look_ns(self) -> int:
        """Somebody looks at the clock."""
        self.now_ns += LOOK_NS
        return self.now_ns

    def call_soon(self, callback, *args, context=None):  # type: ignore[no-untyped-def, override]
        handle = Handle(callback, args, context or copy_context(), 0.0)
        self.ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # there are no threads

    def call_at(self, when, callback, *args, context=None):  # type: ignore[no-untyped-def, override]
        timer = Handle(callback, args, context or copy_context(), when)
        self._order += 1
        heapq.heappush(self._heap, (round(when * 1e9), self._order, timer))
        return timer

    def call_later(self, delay, callback, *args, context=None):  # type: ignore[no-untyped-def, override]
        timer = Handle(callback, args, context or copy_context(), self.now_ns / 1e9 + delay)
        self._order += 1
        heapq.heappush(self._heap, (self.now_ns + int(delay * 1e9), self._order, timer))
        return timer

    def after_ns(self, delay_ns: int, callback: Callable[..., object], *args: Any) -> None:
        """For the kernel."""
        self._order += 1
        heapq.heappush(self._heap, (self.now_ns + delay_ns, self._order, Handle(callback, args, KERNEL, 0.0)))

    def _run_once(self) -> None:
        heap, ready = self._heap, self.ready
        if not ready:
            if not heap:
                raise Stuck("nothing is scheduled")
            if heap[0][0] > self.now_ns:
                self.now_ns = heap[0][0]
        while heap and heap[0][0] <= self.now_ns:
            ready.append(heapq.heappop(heap)[2])
        count = len(ready)
        for _ in range(count):
            handle = ready.popleft()
            if handle._stopped:
                continue
            context = handle._context
            owner = context.get(CURRENT)
            if owner is not None and (owner.holds or not owner.alive):
                if owner.alive:
                    owner.held.append(handle)
                continue
            try:
                context.run(handle._callback, *handle._args)
            except Exception as failure:
                context.run(self.call_exception_handler, {"message": "a callback failed", "exception": failure})
            except Gone:
                pass
        self.turns += count
        if self.turns > TURNS_MAX:
            raise Stuck("too many turns")

    def create_task(self, coro, *, name=None, context=None):  # type: ignore[no-untyped-def, override]
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name or "task", context=context)
        process = CURRENT.get() if context is None else context.get(CURRENT)
        if process is not None:
            process.tasks.add(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Nobody caught it: checkers will ask why."""
        failure = context.get("exception")
        process = CURRENT.get()
        if isinstance(failure, Gone) or (process is not None and not process.alive):
            return
        text = f"{context['message']}: {failure!r}"
        self.failures.append(text)
        self._say("UNHANDLED", text, _trace(failure))

    def add_signal_handler(self, sig, callback, *args):  # type: ignore[no-untyped-def, override]
        owner().signals[sig] = (callback, args)

    def remove_signal_handler(self, sig):  # type: ignore[no-untyped-def, override]
        return owner().signals.pop(sig, None) is not None

    async def getaddrinfo(self, host, port, *, family=0, type=0, proto=0, flags=0):  # type: ignore[no-untyped-def, override]
        return [(2, 1, 6, "", (host, port))]

    async def create_server(self, protocol_factory, host=None, port=None, *, sock=None, **options):  # type: ignore[no-untyped-def, override]
        return sock.serve(protocol_factory)

    async def create_connection(  # type: ignore[no-untyped-def, override]
        self, protocol_factory, host=None, port=None, *, ssl=None, local_addr=None, **options
    ):
        process = owner()
        end = await process.host.world.connect(process, host, port)
        protocol = protocol_factory()
        end.begin(protocol)
        return end, protocol

    def finish(self) -> None:
        """The story is over: what is left may neither act nor complain."""
        GRAVEYARD.extend(asyncio.all_tasks(self))
        GRAVEYARD.append((self._heap, self.ready))
        self._heap, self.ready = [], deque()


def _nothing() -> None:
    """What was cancelled."""


def owner() -> Process:
    """The process that runs now."""
    process = CURRENT.get()
    assert process is not None
    return process


def draw(rng: Random, choices: Iterable[tuple[float, Any]]) -> Any:
    """One of the values, by weight."""
    weights, values = zip(*choices, strict=True)
    return rng.choices(values, weights)[0]


def _trace(failure: BaseException | None) -> str:
    import traceback

    return "" if failure is None else "".join(traceback.format_exception(failure))
