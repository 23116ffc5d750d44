"""The parts of the quorum protocol, one by one: what is durable, what is in the stream, who votes, who may lead."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kvserver.wire.resp import encode_request
from replication.quorum import identity, records
from replication.quorum.choice import Answer, Choice, NoChoice, choose
from replication.quorum.epochs import Epochs
from replication.quorum.identity import Identity, IdentityError
from replication.quorum.members import MemberLog, majority, reached
from replication.quorum.records import Kind, Record
from replication.quorum.tally import Tally

A, B, C, D = (digit * 40 for digit in "abcd")
ABC = frozenset((A, B, C))
ids = st.text("0123456789abcdef", min_size=40, max_size=40)
lists = st.frozensets(ids, min_size=1, max_size=5)


def test_an_identity_outlives_its_file() -> None:
    """What was written is what is read."""
    mine = Identity(A, promised=7, attempt="f00d", opened=5, unsynced="boot-1", place="m:1:2")
    assert identity.decode(identity.encode(mine)) == mine


def test_a_torn_or_changed_identity_is_refused() -> None:
    """Any prefix, and any changed byte, of an identity is told from a whole one."""
    text = identity.encode(Identity(A, promised=7, attempt="f00d", opened=5))
    for end in range(len(text)):
        with pytest.raises(IdentityError):
            identity.decode(text[:end])
    for place in range(len(text)):
        changed = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        with pytest.raises(IdentityError):
            identity.decode(changed)


def test_an_identity_of_another_version_is_refused() -> None:
    """A whole text with a right checksum but other lines isn't guessed at."""
    text = identity.encode(Identity(A)).replace("understudy-quorum 1", "understudy-quorum 2")
    body = text.rpartition("sum ")[0]
    with pytest.raises(IdentityError, match="unknown form"):
        identity.decode(f"{body}sum {identity.crc64(body.encode()):016x}\n")


def test_a_promise_binds_to_one_try() -> None:
    """A newer epoch is promised, the same try again, and nothing else."""
    mine = Identity(A).promise(3, "x")
    assert [mine.grants(*asked) for asked in ((2, "x"), (3, "y"), (3, "x"), (4, "y"))] == [False, False, True, True]
    assert not mine.promise(4, "").grants(4, ""), "a promise by following binds to no try"


RECORDS = (
    Record(Kind.MARKER, 4, A),
    Record(Kind.FOUND, 1, A, (ABC,)),
    Record(Kind.OPEN, 4, "", (ABC, frozenset((A, B, D)))),
    Record(Kind.CLOSE, 4, "", (frozenset((A, B, D)),)),
    Record(Kind.FOUND, 9, B, (frozenset((B,)),)),
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.kind.value)
def test_a_record_is_an_argument_of_ping(record: Record) -> None:
    """Each record is a PING that a Redis runs harmlessly, and is read back as it was."""
    data = records.encode(record)
    words = data.split(b"\r\n")
    assert words[0] == b"*2"
    assert words[2] == b"PING"
    assert records.parse([words[2], words[4]]) == record


@given(st.sampled_from(list(Kind)), st.integers(1, 2**62), ids, lists, lists)
def test_records_of_any_size_are_read_back(
    kind: Kind, epoch: int, leader: str, old: frozenset[str], new: frozenset[str]
) -> None:
    """Whoever leads, and however many vote."""
    sets = {Kind.MARKER: (), Kind.FOUND: (old,), Kind.OPEN: (old, new), Kind.CLOSE: (new,)}[kind]
    record = Record(kind, epoch, leader if kind in (Kind.MARKER, Kind.FOUND) else "", sets)
    data = records.encode(record)
    text = data[data.index(b"quorum") :].removesuffix(b"\r\n")
    assert data == encode_request([b"PING", text])
    assert records.parse([b"ping", text]) == record


@pytest.mark.parametrize(
    "args",
    [
        [b"PING"],
        [b"PING", b"hello"],
        [b"ECHO", b"quorum marker 1 " + A.encode()],
        [b"PING", b"quorum marker x " + A.encode()],
        [b"PING", b"quorum open 3 " + A.encode()],
        [b"PING", b"quorum marker 1 short"],
        [b"PING", b"quorum \xff"],
    ],
)
def test_other_pings_are_no_records(args: list[bytes]) -> None:
    """What a client or a Redis says in a PING is never taken for a record."""
    assert records.parse(args) is None


def test_epochs_say_when_a_byte_was_written() -> None:
    """A byte belongs to the last epoch that began at or before it."""
    epochs = Epochs(((2, 11), (5, 20)))
    assert [epochs.of(offset) for offset in (0, 10, 11, 19, 20, 99)] == [0, 0, 2, 2, 5, 5]
    for epoch, start in ((5, 30), (6, 20), (4, 40)):
        with pytest.raises(ValueError, match="can't begin"):
            epochs.open(epoch, start)


def test_a_majority_is_one_of_each_set() -> None:
    """While a change is open, both the old and the new members have to agree."""
    both = (ABC, frozenset((A, B, D)))
    assert majority((ABC,), [A, B])
    assert majority(both, [A, B])
    assert not majority(both, [A, C])
    assert not majority((), [A, B, C]), "nobody votes before the founding"
    assert reached(both, {A: 9, B: 7, C: 8}) == 7
    assert reached((), {A: 9}) == 0


def test_records_of_members_count_from_the_log_and_are_forgotten_behind_the_next() -> None:
    """The last record counts, and only what a committed one has replaced is dropped."""
    log = MemberLog()
    log.add(10, (ABC,))
    log.add(20, (ABC, frozenset((A, B, D))))
    assert log.changing
    log.forget_before(15)
    assert [end for end, _ in log.rows()] == [10, 20]
    log.forget_before(20)
    assert [end for end, _ in log.rows()] == [20]
    with pytest.raises(ValueError, match="behind"):
        log.add(20, (ABC,))


def test_nothing_is_committed_before_the_marker() -> None:
    """What older epochs wrote is committed with the marker of the leader's own, never by itself."""
    tally = Tally(marker=100, committed=(10, 10))
    tally.heard(B, 99, 99, 0)
    assert not tally.advance((ABC,), A, 120, 120, 120)
    tally.heard(B, 100, 50, 0)
    assert tally.advance((ABC,), A, 120, 120, 120)
    assert tally.commit == [100, 10], "the disks of a majority don't have it yet"


def answer(who: str, epoch: int, offset: int, sets: tuple[frozenset[str], ...] = (ABC,), *places: str) -> Answer:
    return Answer(who, epoch, offset, sets, frozenset(places))


def test_the_newer_epoch_wins_over_the_longer_log() -> None:
    """Epoch first, offset second: a longer log of an older epoch may hold what was never committed."""
    assert choose([answer(A, 1, 900), answer(B, 2, 100)]) == Choice(B, 2, 100)


def test_a_minority_chooses_nobody_and_says_who_is_missing() -> None:
    """Without a majority of the members nobody leads, and the reason names the places that didn't answer."""
    found = choose([answer(A, 1, 900)])
    assert isinstance(found, NoChoice)
    assert "1 of 3 places" in found.reason
    assert B[:8] in found.reason


def test_members_are_counted_by_the_candidates_own_log() -> None:
    """Who has the record of a change in its log is judged by it: C, replaced by D there, doesn't help A to lead."""
    after = (frozenset((A, B, D)),)
    found = choose([answer(A, 2, 50, after), answer(C, 1, 40)])
    assert isinstance(found, NoChoice)
    assert choose([answer(A, 2, 50, after), answer(D, 2, 50, after)]) == Choice(A, 2, 50)


def test_a_group_is_refounded_only_when_every_place_has_promised() -> None:
    """A and B lost their data and have new ids: with C there too, C refounds with whoever is there now."""
    lost = [answer("1" * 40, 0, 0, (), A), answer("2" * 40, 0, 0, (), B)]
    assert isinstance(choose([*lost, answer("3" * 40, 0, 0, ())]), NoChoice)
    found = choose([*lost, answer(C, 1, 70)])
    assert found == Choice(C, 1, 70, refound=frozenset((C, "1" * 40, "2" * 40)))


def test_a_wish_decides_among_equals_only() -> None:
    """Who is wished for leads if its log is as advanced as the others', and not otherwise."""
    equal = [answer(A, 2, 50), answer(B, 2, 50), answer(C, 2, 50)]
    assert [choose(equal, wish) for wish in ((), (C,), (B, A), ("f" * 40, C))] == [
        Choice(A, 2, 50), Choice(C, 2, 50), Choice(B, 2, 50), Choice(C, 2, 50)]
    assert choose([answer(A, 2, 51), answer(B, 2, 50), answer(C, 3, 1)], (B, A)) == Choice(C, 3, 1)


def test_a_wish_for_a_stranger_is_not_heard_before_a_member() -> None:
    """Among equals members come first, whatever is wished."""
    assert choose([answer(D, 2, 50), answer(A, 2, 50), answer(B, 2, 50)], (D,)) == Choice(A, 2, 50)
