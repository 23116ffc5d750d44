"""The replies of nodes that were asked to promise an epoch, read with suspicion.

A node may be of another make, or broken, or hostile: what can't be said by one that keeps the protocol isn't believed.
"""

from __future__ import annotations

import re

from replication.quorum.choice import Answer
from replication.quorum.members import Sets
from replication.sentinel.mind.messages import Reply, ReplyError
from replication.sentinel.mind.node_info import node_ids
from replication.sentinel.world.world import MAX_SANE_EPOCH

MAX_OFFSET = 2**63 - 1
MAX_REASON = 200
_EPOCH = re.compile(r"\bepoch (\d{1,19})\b")


def parse_answer(reply: Reply, epoch: int) -> Answer | None:
    """What a node said as it promised `epoch`; None if nobody who promised it can say that."""
    match reply:
        case [bytes(node_id), int(last_epoch), int(offset), list(sets), bytes(places)]:
            pass
        case _:
            return None
    name = _ids(node_id)
    members = _sets(sets)
    home = _ids(places) if places else frozenset[str]()
    if name is None or len(name) != 1 or members is None or home is None:
        return None
    if not (0 <= last_epoch <= epoch and 0 <= offset <= MAX_OFFSET):
        return None
    return Answer(next(iter(name)), last_epoch, offset, members, home)


def _ids(word: object) -> frozenset[str] | None:
    return node_ids(word.decode("latin-1")) if isinstance(word, bytes) else None


def _sets(words: list[object]) -> Sets | None:
    """None: more than two, or not lists of ids."""
    found = [_ids(word) for word in words[:3]]
    sets = tuple(each for each in found if each is not None)
    return sets if len(sets) == len(found) <= 2 else None


def promised_elsewhere(refusal: ReplyError) -> int:
    """The epoch that a node has promised to somebody else, as its refusal names it; 0 if it names none."""
    found = _EPOCH.search(refusal.text) if refusal.text.startswith("NOPROMISE") else None
    epoch = int(found[1]) if found else 0
    return epoch if epoch <= MAX_SANE_EPOCH else 0


def shown(refusal: ReplyError) -> str:
    """A refusal as events tell it: one line, and not too long."""
    return "".join(c if c.isprintable() else "?" for c in refusal.text[:MAX_REASON])
