"""What holds of a world after every step, as rows: a sentence, and what breaks it.

Checked after each step in tests and under simulation, not in production. The first rows are the safety of
elections (see `mind.election`); the rest say that what is known hangs together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from replication.quorum.choice import NoChoice, choose
from replication.sentinel.world.group import Attempt, Lane, LaneState, Primary, group_of
from replication.sentinel.world.stages import Reconf, Stage
from replication.sentinel.world.world import World


class Broken(AssertionError):
    """An invariant doesn't hold: a fault of ours, whatever a node or a peer said."""


class Epochs(NamedTuple):
    """What a group had at the end of the step before."""

    config_epoch: int
    leader_epoch: int
    leader: str | None
    attempt: Attempt | None = None
    word: str = ""
    """The try of the attempt, once it is drawn."""
    words: frozenset[str] = frozenset()
    """All tries ever."""


class Invariants:
    """Call it with the world after each step; it remembers epochs and votes from one to the next.

    Raises Broken, with the row's sentence and what was found. A sentinel that restarts needs a new one.
    """

    def __init__(self) -> None:
        self._epoch = 0
        self._groups: dict[Primary, Epochs] = {}

    def __call__(self, world: World) -> None:
        for sentence, check in ROWS:
            for problem in check(world):
                raise Broken(f"{sentence}: {problem}")
        for sentence, compare in COMPARED:
            for problem in compare(world, self._epoch, self._groups):
                raise Broken(f"{sentence}: {problem}")
        self._epoch = world.epoch
        self._groups = {group: _remembered(group, self._groups.get(group)) for group in world.groups.values()}


Problems = Iterator[str]
Before = dict[Primary, Epochs]


def _epochs_known(world: World) -> Problems:
    for group in world.groups.values():
        if max(group.config_epoch, group.leader_epoch) > world.epoch:
            yield f"{group.name} has {group.config_epoch} and {group.leader_epoch}, we {world.epoch}"


def _remembered(group: Primary, was: Epochs | None) -> Epochs:
    word, words = _word(group), was.words if was is not None else frozenset()
    return Epochs(group.config_epoch, group.leader_epoch, group.leader, group.failover, word,
                  words | {word} if word else words)


def _word(group: Primary) -> str:
    gathering = group.failover.gathering if group.failover is not None else None
    return gathering.word if gathering is not None else ""


def _attempts(world: World) -> Iterator[tuple[Primary, Attempt]]:
    for group in world.groups.values():
        if group.failover is not None:
            yield group, group.failover


def _own_vote(world: World) -> Problems:
    for group, attempt in _attempts(world):
        ours = group.leader == world.my_id
        if group.leader_epoch < attempt.epoch or (group.leader_epoch == attempt.epoch and not ours):
            yield f"{group.name} in {attempt.epoch}, the vote of {group.leader_epoch} is {group.leader}'s"


def _not_yet_configuration(world: World) -> Problems:
    for group, attempt in _attempts(world):
        promoted = attempt.stage >= Stage.RECONF_SLAVES
        if (group.config_epoch < attempt.epoch) if promoted else (group.config_epoch >= attempt.epoch):
            yield f"{group.name} in {attempt.stage.name} of {attempt.epoch}, configuration {group.config_epoch}"


def _chosen(world: World) -> Problems:
    for group, attempt in _attempts(world):
        if (attempt.promoted is not None) != (attempt.stage >= Stage.SEND_SLAVEOF_NOONE):
            yield f"{group.name} in {attempt.stage.name} has {attempt.promoted and attempt.promoted.name}"


def _promoted_is_ours(world: World) -> Problems:
    for group, attempt in _attempts(world):
        leads_anew = attempt.gathering is not None and attempt.promoted is group
        if attempt.promoted is not None and not leads_anew \
                and group.replicas.get(attempt.promoted.name) is not attempt.promoted:
            yield f"{group.name} promotes {attempt.promoted.name}"


def _way(world: World) -> Problems:
    for group, attempt in _attempts(world):
        convened = attempt.stage in (Stage.HOLDING, Stage.GATHER_PROMISES)
        chosen_freely = attempt.stage in (Stage.SELECT_SLAVE, Stage.SEND_SLAVEOF_NOONE)
        if (chosen_freely and (group.by_quorum or attempt.gathering)) or (convened and not attempt.gathering):
            yield f"{group.name} in {attempt.stage.name}"


def _chosen_by_promises(world: World) -> Problems:
    for group, attempt in _attempts(world):
        gathering, node = attempt.gathering, attempt.promoted
        if gathering is None or (node is None and gathering.choice is None):
            continue
        answers = gathering.counted()
        answer = answers.get(node.name) if node is not None else None
        choice, best = gathering.choice, choose(answers.values(), gathering.wish)
        forced = gathering.unsafe and isinstance(best, NoChoice)
        if (answer is None or choice is None or (not forced and choice != best)
                or (choice.node_id, choice.last_epoch, choice.offset) != (answer.node_id, *answer.rank)):
            yield f"{group.name}: {choice} by {answers}"


def _moves(world: World) -> Problems:
    for group, attempt in _attempts(world):
        promoted = attempt.promoted.name if attempt.promoted is not None else ""
        for name, move in attempt.moves.items():
            if (name not in group.replicas or name == promoted or move.state is Reconf.NONE
                    or attempt.stage < Stage.RECONF_SLAVES):
                yield f"{group.name} moves {name} in {attempt.stage.name}"


def _downs(world: World) -> Problems:
    for group in world.groups.values():
        if group.objectively_down and not group.down:
            yield group.name


def _addresses(world: World) -> Problems:
    for group in world.groups.values():
        nodes = [group, *group.replicas.values()]
        for index, one in enumerate(nodes):
            for other in nodes[index + 1:]:
                if one.address.same(other.address):
                    yield f"{one.name} and {other.name} at {one.address}"


def _peers(world: World) -> Problems:
    for group in world.groups.values():
        for run_id, peer in group.peers.items():
            if not run_id == peer.name == peer.run_id or run_id == world.my_id:
                yield f"{group.name}: {run_id}"


def _belonging(world: World) -> Problems:
    for name, group in world.groups.items():
        named = [(name, group), *group.replicas.items(), *group.peers.items()]
        for key, instance in named:
            if key != instance.name or group_of(instance) is not group:
                yield f"{key} in {name}"


def _links(world: World) -> Problems:
    members = [each for group in world.groups.values() for each in group.members()]
    owned = [owner for link in world.links.values() for owner in link.owners]
    if len(owned) != len(members) or set(owned) != set(members):
        yield f"{len(members)} members, {len(owned)} owners"
    for number, link in world.links.items():
        if not link.owners or number != link.id or any(owner.link is not link for owner in link.owners):
            yield f"link {number} of {[owner.name for owner in link.owners]}"


def _silent_when_down(world: World) -> Problems:
    for link in world.links.values():
        waits = link.pending or any(owner.info_in_flight for owner in link.owners)
        if link.lane(Lane.COMMAND).state is not LaneState.UP and waits:
            yield f"link {link.id} of {link.owners[0].name}"


ROWS: tuple[tuple[str, Callable[[World], Problems]], ...] = (
    ("no epoch of a group is newer than ours", _epochs_known),
    ("who stands for election has voted for itself in that epoch, or in a newer one", _own_vote),
    ("an attempt's epoch is the configuration's once a replica leads, and newer before", _not_yet_configuration),
    ("a replica is chosen in SEND_SLAVEOF_NOONE and after it, and not before", _chosen),
    ("who is promoted is a replica of the group (or, by quorum, its primary anew)", _promoted_is_ours),
    ("in a group that goes by quorum nobody is selected, and nodes promise nowhere else", _way),
    ("by quorum only he is told to lead whom the promises to this very try let lead", _chosen_by_promises),
    ("only other replicas of the group are led over, and only once the promoted one leads", _moves),
    ("objectively down is only who is subjectively down", _downs),
    ("no two nodes of a group have the same address", _addresses),
    ("a peer is known by its run id, and is never ourselves", _peers),
    ("each member is known by its name, in the group that it names as its own", _belonging),
    ("the links are those of the members, and each member has one", _links),
    ("nothing is awaited on a connection that doesn't stand", _silent_when_down),
)
"""What holds of every world, and a function that yields what breaks it."""


def _epoch_grows(world: World, epoch: int, before: Before) -> Problems:
    if world.epoch < epoch:
        yield f"{world.epoch} after {epoch}"


def _group_epochs_grow(world: World, epoch: int, before: Before) -> Problems:
    for group in world.groups.values():
        was = before.get(group)
        if was and (group.config_epoch < was.config_epoch or group.leader_epoch < was.leader_epoch):
            yield f"{group.name}: {group.config_epoch} and {group.leader_epoch} after {was}"


def _one_vote(world: World, epoch: int, before: Before) -> Problems:
    for group in world.groups.values():
        was = before.get(group)
        if was and group.leader_epoch == was.leader_epoch and group.leader not in (was.leader, None):
            yield f"{group.name} in {group.leader_epoch}: {group.leader} after {was.leader}"


def _one_try(world: World, epoch: int, before: Before) -> Problems:
    for group, attempt in _attempts(world):
        was, word = before.get(group), _word(group)
        drawn = was.word if was is not None and was.attempt is attempt else ""
        if was is not None and (word != drawn if drawn else word in was.words):
            yield f"{group.name}: {word} after {drawn or 'another attempt'}"


COMPARED: tuple[tuple[str, Callable[[World, int, Before], Problems]], ...] = (
    ("our epoch never goes back", _epoch_grows),
    ("the epochs of a group never go back", _group_epochs_grow),
    ("one vote for each epoch and group", _one_vote),
    ("a try is drawn once for an attempt, and serves no other", _one_try),
)
"""What holds from one step to the next: the world, our epoch and the groups' after the step before."""
