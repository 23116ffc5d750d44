"""A follower's side of the link to its leader: what it announces, when the stream may be applied, when it acknowledges
(a shell)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from kvserver.wire.resp import ProtocolError, encode_request
from replication.quorum import records, words
from replication.quorum.wire_words import AMNESIA, WordsError, decode_frame, decode_state, encode_hello
from replication.quorum.words import News, State
from replication.replica.stream import Applier
from replication.replica.wire import LinkError, Wire

if TYPE_CHECKING:
    from replication.quorum.shell.voting import Quorum


class LeaderLink:
    """See `replication.voting.LinkVoting`; a *link* of the pure node is the connection, a `Wire`."""

    def __init__(self, quorum: Quorum, run: str) -> None:
        self._quorum = quorum
        self._run = run
        self._wire: Wire | None = None
        self._applier: Applier | None = None
        self._told: dict[Wire, words.Ack] = {}

    def tell(self, wire: Wire, message: words.Message) -> None:
        """Send an acknowledgement, unless it says nothing new; or a question."""
        if isinstance(message, words.Ask):
            assert isinstance(message.name, bytes)
            wire.write(encode_request([b"REPLCONF", b"quorum-ask", message.name]))
        elif isinstance(message, words.Want):
            wire.write(encode_request([b"REPLCONF", b"quorum-want", b"%d" % message.offset]))
        elif isinstance(message, words.Ack):
            told = self._told.get(wire)
            same = told is not None and (told.memory, told.synced) == (message.memory, message.synced)
            if told is None or not same or message.round > told.round:
                self._told[wire] = replace(message, round=max(message.round, 0 if told is None else told.round))
                wire.write(encode_request(_acknowledgement(message.memory, message.synced, message.round)))

    def cut(self, wire: Wire) -> None:
        """End the link: nothing of it is applied any more, not even what has come."""
        if self._wire is wire and self._applier is not None:
            self._applier.stop()
        wire.cut()

    def hello(self, wire: Wire) -> bytes:
        """Begin to follow over a connection; what to announce."""
        self._wire = wire
        said = self._quorum.node.connect(wire)
        hello = next((a.message for a in said if isinstance(a, words.Tell)), None)
        self._quorum.do([action for action in said if not isinstance(action, words.Tell)])
        assert isinstance(hello, words.Hello)
        return encode_hello(hello, self._run)

    def joined(self, wire: Wire, understood: bool) -> None:
        """Raises LinkError: a member of a group follows its leader, nobody else."""
        if self._quorum.rests() and not understood:
            raise LinkError("the primary belongs to no quorum group, and this node belongs to one")

    def refused(self, wire: Wire, reason: str) -> None:
        """Perhaps since this node has lost what it acknowledged, by what the leader remembers."""
        node = self._quorum.node
        if reason.startswith(f"psync: {AMNESIA} ") and node.leading is None:
            new_id = self._quorum.ours.engine.services.doors.chance.token(20)
            self._quorum.log.error("this node has lost data, and is a new one", reason=reason, node_id=new_id)
            self._quorum.do(node.forget(new_id))

    def may_adopt(self, wire: Wire, aux: Mapping[bytes, bytes]) -> bool:
        """Whether the data set of a leader of that epoch may be adopted; a primary without a group is no leader."""
        state, epoch = self._state(aux)
        if not state.epochs:
            return not self._quorum.rests()
        return self._quorum.node.may_apply(wire, epoch)

    def adopted(self, wire: Wire, aux: Mapping[bytes, bytes]) -> None:
        """It was: epochs and members come with it."""
        state, epoch = self._state(aux)
        self._told.pop(wire, None)
        if state.epochs:
            self._quorum.do(self._quorum.node.adopted(wire, epoch, state))

    @staticmethod
    def _state(aux: Mapping[bytes, bytes]) -> tuple[State, int]:
        try:
            return decode_state(aux)
        except (WordsError, ValueError) as error:
            raise LinkError(f"the leader's snapshot: {error}")

    def streams(self, wire: Wire, applier: Applier) -> None:
        """Wait for a welcome, unless a snapshot brought it, or there is no group yet."""
        self._applier = applier
        follow = self._quorum.node.following
        applier.closed = self._quorum.rests() and not (follow is not None and follow.link is wire and follow.on)
        applier.on_frame = lambda args: self._frame(wire, applier, args)
        applier.on_note = self._noted

    def _frame(self, wire: Wire, applier: Applier, args: list[bytes]) -> None:
        try:
            message = decode_frame(args)
        except WordsError as error:
            raise ProtocolError(str(error))
        self._quorum.ours.engine.log.flush()
        match message:
            case words.Welcome():
                self._quorum.do(self._quorum.node.welcome(wire, message))
                applier.closed = not self._quorum.node.may_apply(wire)
            case News():
                self._quorum.do(self._quorum.node.news(wire, message))
            case words.Confirmed():
                self._quorum.do(self._quorum.node.confirmed(wire, message))

    def _noted(self, args: list[bytes], first: int, last: int) -> None:
        """A PING with a text came: perhaps a record."""
        record = records.parse(args)
        if record is not None:
            self._quorum.do(self._quorum.node.recorded(record, first, last))

    def applied(self, wire: Wire) -> None:
        """Acknowledge at once: a reply waits for it."""
        self._quorum.ours.engine.log.flush()
        self._quorum.do(self._quorum.node.grown())

    def acknowledgement(self, wire: Wire) -> list[bytes] | None:
        """How far the node is, once it was welcomed."""
        follow = self._quorum.node.following
        if follow is None or follow.link is not wire or not follow.on:
            return None
        self._quorum.ours.engine.log.flush()
        log = self._quorum.node.log
        return _acknowledgement(log.kept, log.synced, 0)

    def left(self, wire: Wire) -> None:
        """The connection is gone."""
        self._told.pop(wire, None)
        if self._wire is wire:
            self._wire = self._applier = None
        self._quorum.do(self._quorum.node.unlinked(wire))


def _acknowledgement(memory: int, synced: int, round_: int) -> list[bytes]:
    return [b"REPLCONF", b"ACK", b"%d" % memory, b"FACK", b"%d" % synced, b"QUORUM", b"%d" % round_]
