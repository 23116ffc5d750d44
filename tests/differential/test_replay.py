"""What the command log says against what happened."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st

from differential.grammar import PRELUDE, SYNTAX, command
from differential.profile import bounded
from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.commands import all_handlers
from kvserver.engine.commands.table import (
    bitfield,
    bits,
    geo,
    geo_search,
    hashes,
    hyperloglog,
    lists,
    lists_blocking,
    sets,
    sets_combine,
    sorting,
    stream_groups,
    stream_groups_claim,
    streams,
    streams_info,
    streams_read,
    zsets,
    zsets_blocking,
    zsets_combine,
    zsets_range,
)
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import NoPort
from kvserver.engine.values.stream_value import StreamValue
from kvserver.engine.values.types import ListValue, ZSetValue
from kvserver.wire.resp import Parser

ROWS = all_handlers()
NOW_MS = 1_700_000_000_000
CHOICES = [
    [b"SPOP", b"s1"],
    [b"SPOP", b"s1", b"2"],
    [b"SPOP", b"s2", b"4"],
    [b"SMOVE", b"s1", b"s2", b"a"],
]
"""Commands whose outcome is chance: only the log can tell."""


def engine() -> Engine:
    """An engine whose clock stands still."""
    made = Engine(1, build_rows(ROWS))
    made.state.now_ms = NOW_MS
    return made


def content(of: Engine) -> dict[bytes, Any]:
    """All keys with their values in plain Python, and their times."""
    db = of.dbs[0]
    found: dict[bytes, Any] = {}
    for key, value in db.keys.items():
        if isinstance(value, bytes | bytearray):
            plain: Any = bytes(value)
        elif isinstance(value, ListValue):
            plain = list(value)
        elif isinstance(value, ZSetValue):
            plain = list(value.order)
            assert dict(value.items()) == {member: score for score, member in plain}
        elif isinstance(value, StreamValue):
            plain = stream_content(value)
        else:
            plain = dict(value.items())
        found[key] = (plain, db.ttl_at(key))
    return found


def stream_content(value: StreamValue) -> Any:
    """A stream in plain Python; reading what is pending again counts a delivery, and only there."""
    groups = []
    for group in value.sorted_groups():
        pending = [(entry, nack[0]) for entry, nack in group.pending.items()]
        groups.append((group.name, group.last_id, pending))
    return [list(value), value.last_id, value.first_id, value.max_deleted_id, value.entries_added, groups]


@bounded(200)
@given(lines=st.lists(st.one_of(command(), command(), st.sampled_from(CHOICES)), max_size=40))
def test_the_log_rebuilds_the_data(lines: list[list[bytes]]) -> None:
    """Whoever runs the effects logged, and nothing else, comes to the same data; no command fails unexpectedly."""
    one, other = engine(), engine()
    logged: list[bytes] = []
    one.log.attach(logged.append)
    client = one.open_session(NoPort())
    for line in [*PRELUDE, *lines]:
        reply = one.execute(client, line)
        assert one.unexpected_errors == 0, line
        if reply is None:  # it waits; nobody will come
            one.close_session(client)
            client = one.open_session(NoPort())
    one.log.flush()
    parser = Parser()
    parser.feed(b"".join(logged))
    follower = other.internal_session("primary", NoPort())
    while (effect := parser.next()) is not None:
        reply = other.execute(follower, effect)
        assert reply is not None
        assert not reply.startswith(b"-"), (effect, reply)
    assert content(one) == content(other)


def test_every_command_of_the_groups_is_drawn() -> None:
    """The table of syntax leaves out no command of the groups that hold data."""
    drawn = {line.split()[0] for line in SYNTAX.strip().splitlines()}
    groups = (
        lists, lists_blocking, hashes, sets, sets_combine, sorting, zsets, zsets_blocking, zsets_combine, zsets_range,
        bits, bitfield, hyperloglog, geo, geo_search, streams, streams_read, streams_info, stream_groups,
        stream_groups_claim,
    )  # fmt: skip
    for group in groups:
        assert {name.partition("|")[0] for name in group.HANDLERS} - {"PFSELFTEST"} <= drawn
