"""The output of one connection: a pure state machine, with a table of its transitions.

Theory of operation.  Bytes leave in the order in which they came.  Replies are sent at once.  Messages (what a client
gets that isn't the reply to the request being served: pub/sub, replies to those that waited) are *posted*: they go
out at the end of the loop's turn, together, or with the next reply.  So a client that is killed in the same turn
doesn't see them, as with Redis, which writes to sockets once a turn.

Two things may hold bytes up, each or both:

- the peer takes them too slowly, and the transport says that it is full: then they are gathered (`outbox.py`),
  and given to the transport as it empties;
- what they promise isn't safe yet (`kvserver.engine.run.holds`): then they are held back by whoever watches over
  that, who hands them back by `released`, in order.  What comes behind held bytes is held as well, safe or not.  If
  they can't become safe any more (`fail`), an error goes out in their place, and the connection closes behind it.

A connection ends in one of two ways.  `end`: all that was accepted so far still goes out, posted bytes when the turn
is over, held ones once they are safe, and then the connection is closed.  `drop`: nothing goes out any more.  Neither
takes further bytes.

The machine is told what has happened, and returns what is to be done: a sum of the flags below, for the shell that
owns the transport.  It knows no transport, session or clock; `now_s` comes in.

Beside the states it keeps `stalled`: the client's requests have to wait, since too much waits for it already.  It
begins when more than `HELD_MAX` bytes are held or the shell finds that too much is unsent (`stall`), and is over
when the transport has room and less is held.

`direct` is what the hot path asks: bytes may be written at once, nothing holds anything up.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from kvserver.client.outbox import Outbox
from kvserver.client.output_limit import BELOW, judge

if TYPE_CHECKING:
    from kvserver.client.reasons import Reason
    from kvserver.config import BufferLimit

HELD_MAX = 1 << 20
"""Bytes held back for a connection before its requests are read no more."""


class State(IntEnum):
    """Where the output stands; from LEAVING on nothing more is accepted."""

    FLOWING = 0
    POSTED = 1
    """Messages wait for the end of the turn."""
    FULL = 2
    HOLDING = 3
    HOLDING_FULL = 4
    LEAVING = 5
    """Messages go out at the end of the turn; then the connection closes."""
    ENDING = 6
    """Held bytes are still waited for; then the connection closes."""
    CLOSING = 7
    """The transport has all, and closes behind it."""
    GONE = 8


class Event(IntEnum):
    """What happens to it."""

    POST = 0
    SEND = 1
    """Bytes that are safe; posted ones come first."""
    SEND_UNSAFE = 2
    RELEASE = 3
    """Held bytes are safe, others still wait."""
    RELEASE_LAST = 4
    FULL = 5
    ROOM = 6
    END = 7
    DROP = 8
    FAIL = 9
    """Held bytes will never be safe; it comes with an error to send in their place."""


NOTHING = 0
WRITE = 1
"""Give the transport the bytes that the event came with."""
GATHER = 2
"""Done by the machine itself: the bytes are in its outbox."""
HOLD = 4
"""Keep the bytes until they are safe, and hand them to `released` then."""
DRAIN = 8
"""Give the transport what `take` returns, until that is None."""
CLOSE = 16
"""Have the transport close when it has sent what it was given."""
ABORT = 32
"""Close the transport at once; nothing more may leave."""
STOP = 64
"""Read and serve no more."""
RESUME = 128
"""Read and serve again."""
SOON = 256
"""At the end of the turn send what is posted (`take_posted`)."""
KEEP = 512
"""Done by the machine itself: the bytes are posted."""

_S, _E = State, Event
TRANSITIONS: dict[State, dict[Event, tuple[State, int]]] = {
    _S.FLOWING: {
        _E.POST: (_S.POSTED, KEEP | SOON),
        _E.SEND: (_S.FLOWING, WRITE),
        _E.SEND_UNSAFE: (_S.HOLDING, HOLD),
        _E.FULL: (_S.FULL, NOTHING),
        _E.ROOM: (_S.FLOWING, NOTHING),
        _E.END: (_S.CLOSING, CLOSE),
        _E.DROP: (_S.GONE, ABORT),
    },
    _S.POSTED: {
        _E.POST: (_S.POSTED, KEEP),
        _E.SEND: (_S.FLOWING, WRITE),
        _E.SEND_UNSAFE: (_S.HOLDING, HOLD),
        _E.ROOM: (_S.POSTED, NOTHING),
        _E.END: (_S.LEAVING, NOTHING),
        _E.DROP: (_S.GONE, ABORT),
    },
    _S.FULL: {
        _E.SEND: (_S.FULL, GATHER),
        _E.SEND_UNSAFE: (_S.HOLDING_FULL, HOLD),
        _E.FULL: (_S.FULL, NOTHING),
        _E.ROOM: (_S.FLOWING, DRAIN),
        _E.END: (_S.CLOSING, DRAIN | CLOSE),
        _E.DROP: (_S.GONE, ABORT),
    },
    _S.HOLDING: {
        _E.SEND: (_S.HOLDING, HOLD),
        _E.SEND_UNSAFE: (_S.HOLDING, HOLD),
        _E.RELEASE: (_S.HOLDING, WRITE),
        _E.RELEASE_LAST: (_S.FLOWING, WRITE),
        _E.FULL: (_S.HOLDING_FULL, NOTHING),
        _E.ROOM: (_S.HOLDING, NOTHING),
        _E.END: (_S.ENDING, NOTHING),
        _E.DROP: (_S.GONE, ABORT),
        _E.FAIL: (_S.CLOSING, WRITE | CLOSE),
    },
    _S.HOLDING_FULL: {
        _E.SEND: (_S.HOLDING_FULL, HOLD),
        _E.SEND_UNSAFE: (_S.HOLDING_FULL, HOLD),
        _E.RELEASE: (_S.HOLDING_FULL, GATHER),
        _E.RELEASE_LAST: (_S.FULL, GATHER),
        _E.FULL: (_S.HOLDING_FULL, NOTHING),
        _E.ROOM: (_S.HOLDING, DRAIN),
        _E.END: (_S.ENDING, DRAIN),
        _E.DROP: (_S.GONE, ABORT),
        _E.FAIL: (_S.CLOSING, DRAIN | WRITE | CLOSE),
    },
    _S.LEAVING: {
        _E.POST: (_S.LEAVING, NOTHING),
        _E.SEND: (_S.CLOSING, WRITE | CLOSE),
        _E.SEND_UNSAFE: (_S.ENDING, HOLD),
        _E.ROOM: (_S.LEAVING, NOTHING),
        _E.END: (_S.LEAVING, NOTHING),
        _E.DROP: (_S.GONE, ABORT),
    },
    _S.ENDING: {
        _E.POST: (_S.ENDING, NOTHING),
        _E.SEND: (_S.ENDING, NOTHING),
        _E.SEND_UNSAFE: (_S.ENDING, NOTHING),
        _E.RELEASE: (_S.ENDING, WRITE),
        _E.RELEASE_LAST: (_S.CLOSING, WRITE | CLOSE),
        _E.FULL: (_S.ENDING, NOTHING),
        _E.ROOM: (_S.ENDING, NOTHING),
        _E.END: (_S.ENDING, NOTHING),
        _E.DROP: (_S.GONE, ABORT),
        _E.FAIL: (_S.CLOSING, WRITE | CLOSE),
    },
    _S.CLOSING: {
        _E.POST: (_S.CLOSING, NOTHING),
        _E.SEND: (_S.CLOSING, NOTHING),
        _E.SEND_UNSAFE: (_S.CLOSING, NOTHING),
        _E.FULL: (_S.CLOSING, NOTHING),
        _E.ROOM: (_S.CLOSING, NOTHING),
        _E.END: (_S.CLOSING, NOTHING),
        _E.DROP: (_S.GONE, ABORT),
    },
    _S.GONE: dict.fromkeys(Event, (_S.GONE, NOTHING)),
}
"""State and event: the next state, and what is to be done. A pair that isn't here can't happen."""

# The table by numbers: enumerations are slow to look up, and the compiled machine keeps its state as C's int.
_FLOWING, _POSTED, _FULL, _HOLDING, _HOLDING_FULL, _LEAVING, _ENDING, _CLOSING, _GONE = map(int, State)
_POST, _SEND, _SEND_UNSAFE, _RELEASE, _RELEASE_LAST, _NO_ROOM, _ROOM, _END, _DROP, _FAIL = map(int, Event)
_TABLE = [[TRANSITIONS[state].get(event, (-1, -1)) for event in Event] for state in State]
_TABLE = [[(int(state), do) for state, do in row] for row in _TABLE]


class Output:
    """One connection's; see the module's theory of operation. Sizes are bytes, times seconds."""

    def __init__(self) -> None:
        self.state = _FLOWING
        self.direct = True
        self.full = False  # the transport takes no more
        self.ended = False  # no more bytes are accepted
        self.gated = False  # somebody has to be asked whether bytes are safe
        self.stalled = False
        self.held = 0  # how many pieces are held back
        self.held_bytes = 0
        self.soft_since_s = BELOW  # when the soft limit was reached
        self.posted_bytes = 0
        self._posted: list[bytes] = []
        self._outbox: Outbox | None = None

    def _step(self, event: int) -> int:
        state, do = _TABLE[self.state][event]
        assert state >= 0, (State(self.state), Event(event))
        self.state = state
        self.direct = state == _FLOWING and not self.gated
        self.full = state in (_FULL, _HOLDING_FULL)
        self.ended = state >= _LEAVING
        return do

    def gate(self, on: bool) -> None:
        """Whether bytes have to be asked about from now on."""
        self.gated = on
        self.direct = self.state == _FLOWING and not on

    # -- bytes ------------------------------------------------------------------------------------------------

    def post(self, data: bytes) -> int:
        """Take a message, while nothing holds bytes up: see `posts`."""
        do = self._step(_POST)
        if do & KEEP:
            self._posted.append(data)
            self.posted_bytes += len(data)
        return do

    def posts(self) -> bool:
        """Whether a message may be posted; else it is sent, which means that it waits behind others."""
        return self.state <= _POSTED

    def take_posted(self) -> bytes:
        """Return what is posted, to be given to `send` now, before anything else."""
        data = b"".join(self._posted)
        self._posted.clear()
        self.posted_bytes = 0
        return data

    def send(self, data: bytes, safe: bool, patient: bool) -> int:
        """Take bytes to send; `patient` is a client whose requests never have to wait for that (a replica)."""
        do = self._step(_SEND if safe else _SEND_UNSAFE)
        if do == HOLD:
            self.held += 1
            self.held_bytes += len(data)
            if self.held_bytes > HELD_MAX and not patient and not self.stalled:
                self.stalled = True
                return HOLD | STOP
        elif do == GATHER:
            self._gather(data)
        return do

    def released(self, data: bytes) -> int:
        """Take back held bytes, which are safe now."""
        self.held -= 1
        self.held_bytes -= len(data)
        do = self._step(_RELEASE if self.held else _RELEASE_LAST)
        if do == GATHER:
            self._gather(data)
        return do

    def fail(self) -> int:
        """Forget the held bytes; WRITE is for an error that takes their place, behind what DRAIN is for."""
        self.held = self.held_bytes = 0
        return self._step(_FAIL)

    def _gather(self, data: bytes) -> None:
        if self._outbox is None:
            self._outbox = Outbox()
        self._outbox.add(data)

    def take(self) -> bytes | None:
        """Return what the transport is to be given next; None when that was all, or the transport is full."""
        if self._outbox is None or self.full:
            return None
        data = self._outbox.take()
        if not self._outbox.size:
            self._outbox = None
        return data

    def unsent(self) -> int:
        """Bytes of memory that wait here, or are held back on the way."""
        waiting = self.held_bytes + self.posted_bytes
        return waiting if self._outbox is None else waiting + self._outbox.memory_bytes()

    # -- the transport ----------------------------------------------------------------------------------------

    def no_room(self) -> int:
        """The transport is full."""
        return self._step(_NO_ROOM)

    def room(self) -> int:
        """The transport takes bytes again."""
        return self._step(_ROOM)

    # -- the client's requests --------------------------------------------------------------------------------

    def stall(self) -> int:
        """Too much is unsent."""
        if self.stalled or self.ended:
            return NOTHING
        self.stalled = True
        return STOP

    def relax(self) -> int:
        """To be asked when bytes have left: whether requests may go on."""
        if self.full or self.ended:
            return NOTHING
        self.soft_since_s = BELOW
        if not self.stalled or self.held_bytes > HELD_MAX:
            return NOTHING
        self.stalled = False
        return RESUME

    # -- the end ----------------------------------------------------------------------------------------------

    def end(self) -> int:
        """Close behind what was accepted so far."""
        return self._step(_END)

    def drop(self) -> int:
        """Close now; what hasn't left is lost."""
        self._outbox = None
        self._posted.clear()
        self.posted_bytes = 0
        return self._step(_DROP)

    def over(self, limit: BufferLimit, waiting: int, now_s: float) -> Reason | None:
        """Why the connection has to end if `waiting` bytes are unsent: the limit is passed, or was for too long."""
        reason, self.soft_since_s = judge(limit, waiting, self.soft_since_s, now_s)
        return reason
