"""Who a node is when it starts, by its identity file, its place, the boot of the machine and what was loaded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replication.quorum.founding import Candidate, Ready, look
from replication.quorum.identity import PROCESS, WAS_MAX, Identity, awake, encode

OLD, NEW = "a" * 40, "b" * 40
MEMBER = Identity(OLD, promised=5, attempt="t", opened=3, unsynced="boot-1", place="here")


def wake(identity: Identity, **changes: object) -> tuple[str, str]:
    """The id of a node that starts where it was, in the same boot, with all that it wrote; and why it isn't the old."""
    facts = {"new_id": NEW, "place": "here", "boot": "boot-1", "kept": True, "last_epoch": 5, **changes}
    found = awake(encode(identity), **facts)  # type: ignore[arg-type]
    return found.identity.node_id, found.reason


def test_a_killed_process_is_who_it_was() -> None:
    """The kernel had its bytes: nothing is forgotten."""
    assert wake(MEMBER) == (OLD, "")
    assert wake(replace(MEMBER, unsynced="")) == (OLD, "")
    assert wake(replace(MEMBER, unsynced=""), boot="boot-2") == (OLD, "")


@pytest.mark.parametrize(
    ("identity", "changes", "why"),
    [
        (MEMBER, {"boot": "boot-2"}, "restarted"),
        (MEMBER, {"place": "there"}, "another folder"),
        (MEMBER, {"kept": False}, "in memory only"),
        (replace(MEMBER, unsynced=PROCESS), {}, "in memory only"),
        (replace(MEMBER, unsynced=""), {"kept": False}, "append-only file"),
    ],
)  # fmt: skip
def test_who_may_have_forgotten_is_another(identity: Identity, changes: dict[str, object], why: str) -> None:
    """Power, a copy, memory: a new id, and the reason."""
    node_id, reason = wake(identity, **changes)
    assert node_id == NEW
    assert why in reason


def test_who_promised_nothing_has_forgotten_nothing() -> None:
    """A node that was in no group stays who it was, whatever it lost; but in a copied folder two would be one."""
    young = Identity(OLD, place="here", unsynced="boot-1")
    assert wake(young, boot="boot-2", kept=False, last_epoch=0) == (OLD, "")
    assert wake(young, place="there", last_epoch=0)[0] == NEW


def test_old_promises_bind_on_and_old_ids_are_remembered() -> None:
    """The new id is bound by the promise, by no try; its place remembers who lived there, up to a bound."""
    found = awake(encode(MEMBER), NEW, "here", "boot-2", True, 5).identity
    assert (found.promised, found.attempt, found.was) == (5, "", (OLD,))
    assert awake(encode(MEMBER), NEW, "there", "boot-1", True, 5).identity.was == ()
    many = found
    for number in range(WAS_MAX + 3):
        many = many.reborn(f"{number:040x}")
    assert len(many.was) == WAS_MAX


def test_a_damaged_or_missing_file_makes_a_new_node() -> None:
    """Without a file, and with data of a group, or with a torn one: new, and the log's epoch is promised."""
    assert awake(encode(MEMBER)[:-5], NEW, "here", "b", True, 7).reason.startswith("the identity file is damaged")
    found = awake(None, NEW, "here", "b", True, 7)
    assert (found.identity.node_id, found.identity.promised) == (NEW, 7)
    assert found.reason
    assert awake(None, NEW, "here", "b", True, 0).reason == ""


def test_a_group_is_founded_when_enough_hold_the_data() -> None:
    """Members of other groups and those who lag don't count; the epoch is newer than anybody's promise."""
    holds = Candidate("c" * 40, 4, False, True)
    also = Candidate("d" * 40, 0, False, True)
    assert look(3, 1, [holds]) == "the group isn't founded: 2 of 3 nodes hold the data"
    assert isinstance(look(3, 1, [holds, replace(also, member=True)]), str)
    assert isinstance(look(3, 1, [holds, replace(also, holds=False)]), str)
    assert look(3, 1, [holds, also]) == Ready(5, ("c" * 40, "d" * 40))
    assert look(3, 9, [also, holds]) == Ready(10, ("c" * 40, "d" * 40))
