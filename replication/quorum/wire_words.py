"""How what quorum nodes tell each other, and what a snapshot says of a quorum, is written. Pure.

- A follower's `Hello` is the value of `REPLCONF quorum`, words parted by blanks.
- What a leader tells beside the stream is a *frame*: a line that begins with ``>quorum``, between two commands, which
  isn't counted in the offset. Only who sent a hello gets frames.
- A snapshot's auxiliary fields ``quorum-epochs``, ``quorum-members`` and ``quorum-commit`` are a `State`, and
  ``quorum-epoch`` is the epoch of the leader that sends it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from replication.quorum.members import Sets
from replication.quorum.words import Confirmed, Hello, Message, News, State, Welcome

AMNESIA = "AMNESIA"
"""The code of the error by which a leader tells a follower that it has lost what it acknowledged."""
_NUMBER = r"\d{1,19}"
_ID = "[0-9a-f]{40}"
_HELLO = re.compile(rf"(?P<id>{_ID}) (?P<promised>{_NUMBER}) (?P<epoch>{_NUMBER}) (?P<offset>{_NUMBER}) (?P<run>{_ID})")
_EPOCHS = re.compile(rf"(?:{_NUMBER}:{_NUMBER}(?:,(?!$)|$))*")
_SETS = re.compile(rf"{_ID}(?:,{_ID})*(?:\+{_ID}(?:,{_ID})*)?")
_NAME = re.compile(rb"[0-9a-z]{1,16}")


class WordsError(ValueError):
    """Another node wrote something that isn't one of these."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """A hello, and the name of the process that says it: two that live have no id in common."""

    hello: Hello
    run: str


def encode_hello(hello: Hello, run: str) -> bytes:
    """The value of `REPLCONF quorum`."""
    return f"{hello.node_id} {hello.promised} {hello.last_epoch} {hello.offset} {run}".encode()


def decode_hello(text: bytes) -> Greeting:
    """Read the value of `REPLCONF quorum`. Raises WordsError."""
    found = _HELLO.fullmatch(text.decode("latin-1"))
    if found is None:
        raise WordsError("malformed REPLCONF quorum")
    hello = Hello(found["id"], int(found["promised"]), int(found["epoch"]), int(found["offset"]))
    return Greeting(hello, found["run"])


def encode_frame(message: Message) -> bytes:
    """What a leader tells, as a frame."""
    if isinstance(message, Welcome):
        return b">quorum welcome %d %d\r\n" % (message.epoch, message.go_on)
    if isinstance(message, News):
        return b">quorum news %d %d %d %d %d\r\n" % (message.epoch, *message.commit, message.round, message.wanted)
    assert isinstance(message, Confirmed)
    name = message.name
    assert isinstance(name, bytes)
    return b">quorum confirmed %d %s %d\r\n" % (message.epoch, name, message.offset)


def decode_frame(args: list[bytes]) -> Welcome | News | Confirmed:
    """Read a frame that was parsed as a request. Raises WordsError."""
    kind, rest = args[1:2], args[2:]
    if kind == [b"confirmed"] and len(rest) == 3 and _NAME.fullmatch(rest[1]):
        epoch, offset = _numbers([rest[0], rest[2]])
        return Confirmed(epoch, rest[1], offset)
    if kind == [b"welcome"] and len(rest) == 2:
        epoch, go_on = _numbers(rest)
        return Welcome(epoch, go_on == 1)
    if kind == [b"news"] and len(rest) == 5:
        epoch, memory, synced, round_, wanted = _numbers(rest)
        return News(epoch, (memory, synced), round_, wanted)
    raise WordsError("unknown quorum frame")


def _numbers(words: list[bytes]) -> list[int]:
    if not all(word.isdigit() and len(word) < 20 for word in words):
        raise WordsError("a quorum frame without numbers")
    return [int(word) for word in words]


def is_name(text: bytes) -> bool:
    """Whether a follower may name a question so."""
    return _NAME.fullmatch(text) is not None


def encode_state(state: State, epoch: int) -> list[tuple[bytes, bytes]]:
    """A snapshot's fields; `epoch` is the one that its sender leads or follows."""
    members = "/".join(f"{end}={show_sets(sets)}" for end, sets in state.members)
    epochs = ",".join(f"{number}:{start}" for number, start in state.epochs)
    return [
        (b"quorum-epochs", epochs.encode()),
        (b"quorum-members", members.encode()),
        (b"quorum-commit", b"%d,%d" % state.commit),
        (b"quorum-epoch", b"%d" % epoch),
    ]


def decode_state(aux: Mapping[bytes, bytes]) -> tuple[State, int]:
    """Read a snapshot's fields: nothing at all where it has none. Raises WordsError."""
    epochs = aux.get(b"quorum-epochs", b"").decode("latin-1")
    if not _EPOCHS.fullmatch(epochs):
        raise WordsError("malformed quorum-epochs")
    rows = tuple((int(number), int(start)) for number, start in (row.split(":") for row in epochs.split(",") if row))
    commit = aux.get(b"quorum-commit", b"0,0").split(b",")
    memory, synced = _numbers(commit) if len(commit) == 2 else _numbers([b""])
    (epoch,) = _numbers([aux.get(b"quorum-epoch", b"0")])
    members = aux.get(b"quorum-members", b"").decode("latin-1")
    return State(rows, tuple(_member_row(row) for row in members.split("/") if row), (memory, synced)), epoch


def _member_row(text: str) -> tuple[int, Sets]:
    end, _, sets = text.partition("=")
    if not (end.isdigit() and len(end) < 20 and _SETS.fullmatch(sets)):
        raise WordsError("malformed quorum-members")
    return int(end), read_sets(sets)


def show_sets(sets: Sets) -> str:
    """Sets of members in one word."""
    return "+".join(",".join(sorted(members)) for members in sets)


def read_sets(text: str) -> Sets:
    """The inverse of `show_sets`."""
    return tuple(frozenset(members.split(",")) for members in text.split("+") if members)
