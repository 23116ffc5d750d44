"""The age and the length of what no replica has acknowledged."""

from __future__ import annotations

from replication.primary.unreplicated import NOTES_MAX, Unreplicated


def begun() -> Unreplicated:
    bound = Unreplicated()
    bound.begin(100)
    return bound


def test_the_oldest_write_counts_until_a_replica_has_it() -> None:
    """Age is that of the first write that isn't acknowledged; what an acknowledgement covers is forgotten."""
    bound = begun()
    bound.write(100, 1.0)
    bound.write(130, 2.0)
    assert bound.age_s(160, 3.0) == 2.0
    assert bound.length(160) == 60
    bound.acknowledge(130)
    assert bound.age_s(160, 3.0) == 1.0
    bound.acknowledge(160)
    assert (bound.age_s(160, 9.0), bound.length(160), bound.waiting(160)) == (0.0, 0, False)


def test_a_write_that_changes_nothing_has_no_age() -> None:
    """A DEL of a missing key leaves the log where it was: nothing waits for a replica."""
    bound = begun()
    bound.write(100, 1.0)
    assert bound.age_s(100, 50.0) == 0.0
    assert not bound.waiting(100)


def test_what_was_there_before_is_not_asked_about() -> None:
    """The count begins with the bound, and again whenever this node begins to lead."""
    bound = begun()
    bound.write(100, 1.0)
    bound.begin(140)
    assert (bound.age_s(140, 9.0), bound.length(140)) == (0.0, 0)


def test_notes_are_bounded_and_the_oldest_stays() -> None:
    """However many writes wait, memory is bounded, and the age is still that of the first."""
    bound = begun()
    for number in range(3 * NOTES_MAX):
        bound.write(100 + number, float(number))
    assert len(bound._notes) == NOTES_MAX
    assert bound.age_s(10**6, 50_000.0) == 50_000.0


def test_acknowledgements_never_go_back() -> None:
    """A replica that comes back further behind takes nothing back."""
    bound = begun()
    bound.acknowledge(200)
    bound.acknowledge(150)
    assert bound.length(210) == 10
