"""Reads that wait for rounds share them."""

from __future__ import annotations

from replication.quorum.sharing import Sharing


def test_who_comes_while_one_is_under_way_shares_the_next() -> None:
    """A round begun before a read came says nothing about it: it waits for the next, with all that came meanwhile."""
    rounds: Sharing[str] = Sharing()
    assert not rounds.begin(1, 0, 100), "nobody waits"
    rounds.join("a")
    rounds.join("b")
    assert rounds.begin(1, 0, 100)
    rounds.join("c")
    assert not rounds.begin(2, 50, 100)
    rounds.join("d")
    assert rounds.over(1) == ["a", "b"]
    assert rounds.begin(2, 60, 100)
    assert not rounds.gathered
    assert rounds.over(2) == ["c", "d"]
    assert rounds.over(2) == []


def test_a_round_that_is_lost_holds_nobody_up_for_ever() -> None:
    """After the reads' own patience the next begins; the answer to the first still counts if it comes."""
    rounds: Sharing[str] = Sharing()
    rounds.join("a")
    assert rounds.begin(1, 0, 100)
    rounds.join("b")
    assert not rounds.begin(2, 99, 100)
    assert rounds.begin(2, 100, 100)
    assert (rounds.over(1), rounds.over(2)) == (["a"], ["b"])


def test_who_gives_up_is_taken_out() -> None:
    """Begun or not; a round that nobody waits for any more doesn't hold the next one up."""
    rounds: Sharing[str] = Sharing()
    rounds.join("a")
    assert rounds.begin(1, 0, 100)
    rounds.join("a")
    rounds.join("b")
    assert rounds.take(lambda who: who == "a") == ["a", "a"]
    assert rounds.begin(2, 1, 100)
    rounds.join("c")
    assert rounds.take_gathered() == ["c"]
    assert (rounds.over(1), rounds.over(2)) == ([], ["b"])
