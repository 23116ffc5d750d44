"""Replication ids: promotion, following, full resynchronization, restart."""

import pytest

from replication.history import (
    NO_ID,
    NO_OFFSET,
    History,
    is_replid,
    restarted_as_primary,
    restarted_as_replica,
    same_id,
    stream_database,
)

A, B, C = b"a" * 40, b"b" * 40, b"c" * 40


def test_promotion_keeps_the_followed_history_as_second() -> None:
    """A promoted replica lets others continue the old id up to its own offset."""
    assert History(A, B, 7).promoted(C, 100) == History(C, A, 101)


def test_continuing_under_the_same_id_changes_nothing() -> None:
    """A +CONTINUE with the known id, in whatever case, leaves both ids alone."""
    history = History(A, B, 7)
    assert history.continued(A, 50) is history
    assert history.continued(A.upper(), 50) is history


def test_continuing_under_a_new_id_shifts_the_old_one() -> None:
    """A +CONTINUE with a new id makes the old one second at the present offset."""
    assert History(A).continued(B, 50) == History(B, A, 51)


@pytest.mark.parametrize("step", ["adopted", "forgotten"])
def test_nothing_is_remembered_after_losing_the_thread(step: str) -> None:
    """A full resynchronization, or writes that went unrecorded, leave no second id."""
    assert getattr(History(A, B, 7), step)(C) == History(C, NO_ID, NO_OFFSET)


def test_restart() -> None:
    """A restarted replica asks for the saved stream; a restarted primary offers it as its second id."""
    assert restarted_as_replica(A) == History(A)
    assert restarted_as_primary(B, A, 10) == History(B, A, 11)


def test_ids() -> None:
    """Ids are 40 hexadecimal digits, compared without case."""
    assert is_replid(A)
    assert not is_replid(b"a" * 39)
    assert not is_replid(b"g" * 40)
    assert same_id(A, A.upper())
    with pytest.raises(AssertionError):
        History(b"short")


@pytest.mark.parametrize(
    ("said", "database"), [(b"3", 3), (b"15", 15), (b"16", 0), (b"-1", 0), (b"x", 0), (b"", 0), (b"1" * 5000, 0)]
)
def test_a_snapshot_says_where_the_stream_stands(said: bytes, database: int) -> None:
    """Only a database that there is counts; nothing that a peer writes there, however long, is an error of ours."""
    assert stream_database({b"repl-stream-db": said}, 16) == database
    assert stream_database({}, 16) == 0
