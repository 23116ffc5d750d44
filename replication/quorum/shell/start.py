"""A node that starts finds out who it is in its quorum, from its identity file and from the data that were loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvserver import logs
from kvserver.services.offers import Origin
from replication.history import stream_database
from replication.quorum import records
from replication.quorum.identity import Identity, awake
from replication.quorum.node import QuorumNode
from replication.quorum.shell import metrics
from replication.quorum.shell.clients import chosen_safety, safety
from replication.quorum.shell.identity_file import IdentityFile
from replication.quorum.shell.info_fields import quorum_fields
from replication.quorum.shell.log_view import LogView
from replication.quorum.shell.voting import Quorum
from replication.quorum.tally import Level
from replication.quorum.wire_words import WordsError, decode_state, encode_state
from replication.quorum.words import State

if TYPE_CHECKING:
    from kvserver.node.node import Node
    from replication.shell import Replication

OFFSET_DIGITS = 18


def may_be_member(node: Node) -> bool:
    """Whether the node has been in a quorum before: then it doesn't lead when it starts."""
    return IdentityFile(node.doors, node.config, None).exists()


def begin(node: Node, ours: Replication, origin: Origin) -> None:
    """What was on the disk is in memory: take part in a quorum, if the options or an identity file say so.

    Raises:
        OSError: the identity file, or what the data say of the group, can't be read, or the file can't be written.
    """
    config, doors = node.config, node.doors
    log = logs.get("quorum")
    file = IdentityFile(doors, config, log)
    text = file.read()
    if text is None and not config.quorum_nodes and config.durability == "async":
        return
    try:
        state, _ = decode_state(origin.aux)
    except (WordsError, ValueError) as error:
        raise OSError(f"Fatal error loading the DB: what it says of its quorum is damaged: {error}")
    offset = _offset(origin)
    state = _with_notes(state, origin)
    last_epoch = state.epochs[-1][0] if state.epochs else 0
    kept = config.appendonly and (origin.offset is not None or not last_epoch)
    found = awake(text, doors.chance.token(20), file.place(), doors.machine.boot(), kept, last_epoch)
    if found.reason:
        log.warning("this node may have lost what it promised or acknowledged: it is a new one, and no member",
                    reason=found.reason, node_id=found.identity.node_id)  # fmt: skip
    engine = node.engine
    engine.log.offset = max(engine.log.offset, offset)
    if last_epoch:  # its leader's stream goes on there
        engine.log.selected = _selected(origin, len(engine.dbs))
    engine.log.whole = True
    quorum = _quorum(node, ours, found.identity, state, file, log)
    ours.voting = quorum
    node.services.keep(quorum)


def _offset(origin: Origin) -> int:
    if origin.offset is not None:
        return origin.offset
    text = origin.aux.get(b"repl-offset", b"")
    return int(text) if text.isdigit() and len(text) <= OFFSET_DIGITS else 0


def _selected(origin: Origin, databases: int) -> int:
    return stream_database(origin.aux, databases) if origin.selected is None else origin.selected


def _with_notes(state: State, origin: Origin) -> State:
    """The state of the snapshot, with the records that followed it in the file."""
    epochs, members = list(state.epochs), list(state.members)
    for args, first, last in origin.notes:
        record = records.parse(args)
        if record is not None and record.opens_epoch:
            epochs.append((record.epoch, first))
        if record is not None and record.sets:
            members.append((last, record.sets))
    return State(tuple(epochs), tuple(members), state.commit)


def _quorum(
    node: Node, ours: Replication, identity: Identity, state: State, file: IdentityFile, log: Any
) -> Quorum:
    config = node.config
    view = LogView(node.engine)
    quorum = Quorum(
        node.server, config, log, ours, QuorumNode(identity, view, _level(config.durability), state), file, view
    )
    file.write(identity)
    view.relaxed = False  # until it is noted what the end of the process, or of the power, would lose
    services = node.services

    def apply(_: object) -> None:
        quorum.node.level = _level(config.durability)
        node.server.ask_for(safety(config.durability, config.reads))
        for c in node.engine.sessions.values():
            if c.chosen is not None:
                c.ask_for(chosen_safety(config, c.chosen))
        quorum.note_loss()

    for option in ("durability", "reads", "appendonly"):
        config.on_change(option, apply)
    node.server.ask_for(safety(config.durability, config.reads))
    services.signals.log_synced.connect(quorum.file_synced)
    services.signals.session_reset.connect(_forget_choice)
    services.contributions.facts.append(lambda: _facts(quorum))
    ours.feeder.on_online = quorum.followers.online
    node.stops.append(quorum.line.stop)
    services.contributions.add_info("quorum", lambda: quorum_fields(quorum, node.doors.clock.monotonic()))
    services.contributions.metrics.extend(metrics.rows(quorum))
    quorum.attendance.look(quorum)  # before the first client: what can't be promised is refused from the start
    quorum.clients.publish()
    return quorum


def _forget_choice(c: Any) -> None:
    c.chosen = None
    c.ask_for(c.engine.services.kept(Quorum).clients.holds.safety)


def _facts(quorum: Quorum) -> list[tuple[bytes, bytes]]:
    node = quorum.node
    epoch = node.leading.epoch if node.leading else node.following.epoch if node.following else 0
    return encode_state(node.state(), epoch) if quorum.rests() else []


def _level(durability: str) -> Level:
    return Level.SYNCED if durability == "quorum-fsync" else Level.MEMORY
