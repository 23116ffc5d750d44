"""QUORUM, CLIENT DURABILITY and CLIENT READS."""

from __future__ import annotations

import re
from collections.abc import Callable

from kvserver.engine.run import blocking
from kvserver.engine.run.session import Session
from kvserver.errors import CommandError
from kvserver.services.offers import PAUSE_WRITES
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import OK, array, bulk, bulks, error, integer
from replication.primary.feed import Feed
from replication.quorum.shell.clients import HOLD, LEVELS, READS, chosen_safety
from replication.quorum.shell.line import Answer, Said
from replication.quorum.shell.voting import Quorum
from replication.quorum.tally import Level
from replication.quorum.wire_words import show_sets
from replication.quorum.words import Action, Lead, Promised, Refused
from replication.shell import replication_of

EPOCH_MAX = (1 << 63) - 2
HOLD_MAX_MS = 10_000
_TRY = re.compile(rb"[0-9a-zA-Z-]{1,64}")
_ID = re.compile(r"[0-9a-f]{40}")
_NO_QUORUM = "NOQUORUM quorum-nodes is 0: this node belongs to no group."

HELP = (
    "QUORUM <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "FORGET <node-id>",
    "    Take a member out of the group, without another in its place.",
    "FOUND",
    "    Found the group with the nodes that hold the data now (quorum-found manual).",
    "HOLD <milliseconds>",
    "    Hold writes back, so that replicas catch up before a switchover.",
    "LEAD <epoch> <try> <node-id> <last-epoch> <offset> [<node-id>,...]",
    "    A sentinel's order to lead an epoch that was promised to its try.",
    "MEMBERS",
    "    List who votes, and how far each is.",
    "PROMISE <epoch> <try>",
    "    A sentinel asks to take nothing from an older epoch, nor from another try in it.",
    "REPLACE <old-node-id> <new-node-id>",
    "    Put a node that has caught up in a member's place.",
    "HELP",
    "    Print this help.",
)


def quorum_of(c: Session) -> Quorum:
    """The node's part in a quorum. Raises CommandError where there is none."""
    voting = replication_of(c).voting
    if not isinstance(voting, Quorum):
        raise CommandError(_NO_QUORUM)
    return voting


def _epoch(text: bytes) -> int:
    epoch = parse_int(text)
    if not 1 <= epoch <= EPOCH_MAX:
        raise CommandError("ERR Invalid epoch")
    return epoch


def _try(text: bytes) -> str:
    if not _TRY.fullmatch(text):
        raise CommandError("ERR Invalid try")
    return text.decode()


def _node_id(text: bytes) -> str:
    node_id = text.decode("latin-1")
    if not _ID.fullmatch(node_id):
        raise CommandError("ERR Invalid node id")
    return node_id


def _later(c: Session, code: str, show: Callable[[Said], bytes]) -> Answer:
    """Block a client until a step is performed; `show` makes its reply of what became of it."""
    c.engine.block(c, "quorum-order", [], 0, lambda _: error(f"{code} given up"))
    wait = c.blocked

    def answer(said: Said) -> None:
        if c.blocked is wait and wait is not None:
            reply = error(f"{code} {said.reason}") if isinstance(said, Refused) else show(said)
            blocking.unblock(c.engine, c, reply)

    return answer


# -- sentinels ----------------------------------------------------------------------------------------------------


def promise(c: Session, a: list[bytes]) -> bytes | None:
    """QUORUM PROMISE epoch try."""
    quorum = quorum_of(c)
    epoch, attempt = _epoch(a[2]), _try(a[3])
    answer = _later(c, "NOPROMISE", lambda said: _promised(quorum, said))
    quorum.ours.settle()
    quorum.do(quorum.node.promise(epoch, attempt), answer)
    return None


def _promised(quorum: Quorum, said: Said) -> bytes:
    assert isinstance(said, Promised)
    answer = said.answer
    places = (quorum.node.node_id, *quorum.node.identity.was)
    return array([
        bulk(answer.node_id.encode()), integer(answer.last_epoch), integer(answer.offset),
        bulks([show_sets((members,)).encode() for members in answer.sets]), bulk(",".join(places).encode()),
    ])  # fmt: skip


def lead(c: Session, a: list[bytes]) -> bytes | None:
    """QUORUM LEAD epoch try node-id last-epoch offset [members]."""
    quorum = quorum_of(c)
    if len(a) > 8:
        raise CommandError("ERR syntax error")
    members = frozenset(_node_id(text) for text in a[7].split(b",")) if len(a) == 8 else frozenset()
    order = Lead(_epoch(a[2]), _try(a[3]), _node_id(a[4]), parse_int(a[5]), parse_int(a[6]), members)
    answer = _later(c, "NOLEAD", lambda said: OK)
    quorum.ours.settle()
    quorum.do(quorum.node.lead(order), answer)
    return None


def hold(c: Session, a: list[bytes]) -> bytes:
    """QUORUM HOLD milliseconds: replicas catch up, and then are what this node is. 0: writes go on."""
    quorum = quorum_of(c)
    wanted_ms = parse_int(a[2])
    if not 0 <= wanted_ms <= HOLD_MAX_MS:
        raise CommandError(f"ERR Invalid time: 0 to {HOLD_MAX_MS} milliseconds")
    if quorum.node.leading is None:
        raise CommandError("NOQUORUM this node doesn't lead its group")
    engine, pause = c.engine, c.engine.services.administration.pause
    if wanted_ms:
        pause.begin(engine, HOLD, PAUSE_WRITES, engine.state.now_ms + wanted_ms)
    else:
        pause.end(engine, HOLD)
    return OK


# -- operators ----------------------------------------------------------------------------------------------------


def members(c: Session, a: list[bytes]) -> bytes:
    """QUORUM MEMBERS: one list of names and values for each node that votes, or follows and might."""
    quorum = quorum_of(c)
    node, lead = quorum.node, quorum.node.leading
    now_s = c.engine.services.clock.monotonic()
    there = quorum.attendance.present(quorum, now_s)
    addresses = {
        greeting.hello.node_id: f"{s.replica.record.ip}:{s.replica.record.port}"
        for s, greeting in quorum.followers.greetings.items() if isinstance(s.replica, Feed)
    }  # fmt: skip
    voting = set().union(*node.members.now) if node.members.now else set()
    rows = []
    for node_id in sorted(voting | set(addresses) | {node.node_id}):
        mine = node_id == node.node_id
        memory = node.log.kept if mine else lead.tally.acknowledged(node_id, Level.MEMORY) if lead else 0
        synced = node.log.synced if mine else lead.tally.acknowledged(node_id, Level.SYNCED) if lead else 0
        role = "leader" if mine and lead else "member" if node_id in voting else "candidate"
        fields = {
            "id": node_id, "role": role, "address": "" if mine else addresses.get(node_id, ""),
            "state": "here" if mine else "up" if node_id in there or node_id in addresses else "unknown",
            "offset": memory, "synced-offset": synced,
        }  # fmt: skip
        rows.append(bulks([str(word).encode() for pair in fields.items() for word in pair]))
    return array(rows)


def replace(c: Session, a: list[bytes]) -> bytes:
    """QUORUM REPLACE old new."""
    quorum = quorum_of(c)
    return _changed(quorum, quorum.node.replace(_node_id(a[2]), _node_id(a[3])))


def forget(c: Session, a: list[bytes]) -> bytes:
    """QUORUM FORGET id."""
    quorum = quorum_of(c)
    if quorum.node.members.now and len(quorum.node.members.now[-1]) <= 1:
        raise CommandError("NOQUORUM the last member can't be forgotten")
    return _changed(quorum, quorum.node.resize(_node_id(a[2]), ""))


def _changed(quorum: Quorum, said: list[Action]) -> bytes:
    refused = next((action for action in said if isinstance(action, Refused)), None)
    if refused is not None:
        raise CommandError(f"NOQUORUM Refused: {refused.reason}.")
    quorum.do(said)
    return OK


def found(c: Session, a: list[bytes]) -> bytes:
    """QUORUM FOUND."""
    quorum = quorum_of(c)
    if quorum.rests():
        raise CommandError("NOQUORUM Refused: the group is founded already.")
    ready = quorum.attendance.ready(quorum)
    if isinstance(ready, str):
        raise CommandError(f"NOQUORUM Refused: {ready}.")
    quorum.attendance.found(quorum, ready)
    return OK


def help_(c: Session, a: list[bytes]) -> bytes:
    """QUORUM HELP."""
    return bulks([line.encode() for line in HELP])


# -- clients ------------------------------------------------------------------------------------------------------


def durability(c: Session, a: list[bytes]) -> bytes:
    """CLIENT DURABILITY async|quorum|quorum-fsync|default."""
    return _choose(c, durability=_word(a[2], (*LEVELS, "default")))


def reads(c: Session, a: list[bytes]) -> bytes:
    """CLIENT READS local|committed|linearizable|default."""
    return _choose(c, reads=_word(a[2], (*READS, "default")))


def _word(text: bytes, words: tuple[str, ...]) -> str:
    word = text.decode("latin-1").lower()
    if word not in words:
        raise CommandError(f"ERR syntax error, expected one of {', '.join(words)}")
    return word


def _choose(c: Session, durability: str = "", reads: str = "") -> bytes:
    quorum_of(c)
    config = c.engine.services.config
    before = c.chosen or ("default", "default")
    c.chosen = durability or before[0], reads or before[1]
    c.ask_for(chosen_safety(config, c.chosen))
    if c.chosen == ("default", "default"):
        c.chosen = None
    return OK


HANDLERS = {
    "CLIENT|DURABILITY": durability,
    "CLIENT|READS": reads,
    "QUORUM|FORGET": forget,
    "QUORUM|FOUND": found,
    "QUORUM|HELP": help_,
    "QUORUM|HOLD": hold,
    "QUORUM|LEAD": lead,
    "QUORUM|MEMBERS": members,
    "QUORUM|PROMISE": promise,
    "QUORUM|REPLACE": replace,
}
