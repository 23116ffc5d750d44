"""What streams, bits and HyperLogLogs leave in the command log, and which events they raise."""

from __future__ import annotations

import pytest
from support.recorder import Recorder

from kvserver.engine.run.session import NoPort

NOW_MS = 1_700_000_000_000
SETUP = (
    "XADD s 1-0 f 1",
    "XADD s 2-0 f 2",
    "XADD s 3-0 f 3",
    "XGROUP CREATE s g 0",
    "XREADGROUP GROUP g old COUNT 1 STREAMS s >",
    "XADD gone 1-0 f 1",
    "XADD gone 2-0 f 1",
    "XGROUP CREATE gone g 0",
    "XREADGROUP GROUP g old STREAMS gone >",
    "XDEL gone 1-0",
    "PFADD p a b c",
    "SETBIT b 7 1",
)


def claim(entry: str, consumer: str, count: int, last: str, key: str = "s") -> str:
    return f"XCLAIM {key} g {consumer} 0 {entry} TIME {NOW_MS} RETRYCOUNT {count} FORCE JUSTID LASTID {last}"


EFFECTS = [
    ("XADD s * f 4", [f"XADD s {NOW_MS}-0 f 4"], ["xadd s"]),
    ("XADD s 3-* f 4", ["XADD s 3-1 f 4"], ["xadd s"]),
    ("XADD s MAXLEN ~ 1 9-0 f 4", ["XADD s MAXLEN = 4 9-0 f 4"], ["xadd s"]),
    ("XADD s MINID ~ 99-0 9-0 f 4", ["XADD s MINID = 18446744073709551615-18446744073709551615 9-0 f 4"],
     ["xadd s", "xtrim s"]),
    ("XADD s MAXLEN 1 9-0 f 4", ["XADD s MAXLEN 1 9-0 f 4"], ["xadd s", "xtrim s"]),
    ("XTRIM s MAXLEN ~ 0", ["XTRIM s MAXLEN = 0"], ["xtrim s"]),
    ("XTRIM s MAXLEN 5", [], []),
    ("XDEL s 1-0 8-0", ["XDEL s 1-0 8-0"], ["xdel s"]),
    ("XDEL s 8-0", [], []),
    ("XSETID s 9-0", ["XSETID s 9-0"], ["xsetid s"]),
    ("XGROUP CREATE new g $ MKSTREAM", ["XGROUP CREATE new g $ MKSTREAM"], ["xgroup-create new"]),
    ("XGROUP CREATECONSUMER s g old", [], []),
    ("XGROUP DELCONSUMER s g old", ["XGROUP DELCONSUMER s g old"], ["xgroup-delconsumer s"]),
    ("XREADGROUP GROUP g new COUNT 1 STREAMS s >", [claim("2-0", "new", 1, "2-0")], ["xgroup-createconsumer s"]),
    ("XREADGROUP GROUP g old STREAMS s >", [claim("2-0", "old", 1, "2-0"), claim("3-0", "old", 1, "3-0")], []),
    ("XREADGROUP GROUP g old NOACK STREAMS s >", ["XGROUP SETID s g 3-0 ENTRIESREAD 3"], []),
    ("XREADGROUP GROUP g new NOACK COUNT 1 STREAMS s >",
     ["XGROUP CREATECONSUMER s g new", "XGROUP SETID s g 2-0 ENTRIESREAD 2"], ["xgroup-createconsumer s"]),
    ("XREADGROUP GROUP g old STREAMS s 0", [], []),
    ("XACK s g 1-0", ["XACK s g 1-0"], []),
    ("XACK s g 3-0", [], []),
    ("XCLAIM s g new 0 1-0 2-0", [claim("1-0", "new", 2, "1-0")], ["xgroup-createconsumer s"]),
    ("XCLAIM s g old 0 9-0 LASTID 2-0", ["XGROUP SETID s g 2-0 ENTRIESREAD 1"], []),
    ("XCLAIM s g old 100 1-0", [], []),
    ("XAUTOCLAIM gone g new 0 - JUSTID", [claim("1-0", "old", 1, "2-0", "gone"), claim("2-0", "new", 1, "2-0", "gone")],
     ["xgroup-createconsumer gone"]),
    ("PFADD p a", [], []),
    ("PFADD p d e", ["PFADD p d e"], ["pfadd p"]),
    ("PFCOUNT p", ["PFCOUNT p"], []),
    ("PFCOUNT p none", [], []),
    ("PFMERGE to p", ["PFMERGE to p"], ["pfadd to"]),
    ("SETBIT b 7 1", [], []),
    ("SETBIT b 80 0", ["SETBIT b 80 0"], ["setbit b"]),
    ("BITFIELD b GET u8 0", [], []),
    ("BITFIELD b SET u8 0 9", ["BITFIELD b SET u8 0 9"], ["setbit b"]),
    ("BITOP NOT to none", [], []),
    ("GEOADD places 1 1 x", ["zadd places 3377822707026402 x"], ["zadd places"]),
]  # fmt: skip


@pytest.mark.parametrize(("line", "effects", "events"), EFFECTS, ids=[row[0] for row in EFFECTS])
def test_effects_and_events(line: str, effects: list[str], events: list[str]) -> None:
    """What is logged carries all ids and times, so that repeating it gives the same; the events are Redis's."""
    recorder = Recorder(SETUP, NOW_MS)
    recorder.do(line)
    assert recorder.engine.unexpected_errors == 0
    assert [line for line in recorder.effects() if line not in ("MULTI", "EXEC")] == effects
    assert recorder.events == events


def test_waiting_readers_are_logged_by_facts() -> None:
    """What a waiting member of a group is given is logged behind the entry, as a claim."""
    recorder = Recorder(SETUP, NOW_MS)
    recorder.do("XREADGROUP GROUP g old STREAMS s >")
    recorder.log.clear()
    waiting = recorder.engine.open_session(NoPort())
    assert recorder.do("XREADGROUP GROUP g new BLOCK 0 STREAMS s >", waiting) is None
    recorder.do("XADD s 9-0 f 1")
    assert waiting.blocked is None
    assert recorder.effects()[-2:] == ["XADD s 9-0 f 1", claim("9-0", "new", 1, "9-0")]


REFUSED: list[tuple[str, bytes]] = [
    ("XADD s 1-1 f 1", b"-ERR The ID specified in XADD is equal or smaller than the target stream top item"),
    ("XADD s * f", b"-ERR wrong number of arguments for 'xadd' command"),
    ("XADD b * f 1", b"-WRONGTYPE"),
    ("XTRIM s", b"-ERR wrong number of arguments for 'xtrim' command"),
    ("XTRIM s MAXLEN 1 LIMIT 5", b"-ERR syntax error, LIMIT cannot be used without the special ~ option"),
    ("XREAD STREAMS a b 0", b"-ERR Unbalanced"),
    ("XREADGROUP GROUP g c STREAMS s $", b"-ERR The $ ID is meaningless"),
    ("XREADGROUP GROUP none c STREAMS s >", b"-NOGROUP"),
    ("XGROUP SETID none g 0", b"-ERR The XGROUP subcommand requires the key to exist"),
    ("XGROUP CREATE s g 0", b"-BUSYGROUP"),
    ("XCLAIM s g c x 1-0", b"-ERR Invalid min-idle-time argument for XCLAIM"),
    ("XCLAIM s g c 0 1-0 BAD", b"-ERR Unrecognized XCLAIM option 'BAD'"),
    ("XAUTOCLAIM s g c 0 - COUNT 0", b"-ERR COUNT must be > 0"),
    ("XSETID s 1-0", b"-ERR The ID specified in XSETID is smaller than the target stream top item"),
    ("XINFO STREAM none", b"-ERR no such key"),
    ("XRANGE s x +", b"-ERR Invalid stream ID"),
    ("XRANGE s (18446744073709551615-18446744073709551615 +", b"-ERR invalid start ID for the interval"),
]


@pytest.mark.parametrize(("line", "text"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refusals_change_nothing(line: str, text: bytes) -> None:
    """Bad arguments are answered with Redis's error; nothing is logged, told or changed."""
    recorder = Recorder(SETUP, NOW_MS)
    dirty = recorder.engine.state.dirty
    before = recorder.do("XINFO STREAM s FULL")
    reply = recorder.do(line)
    assert reply is not None
    assert reply.startswith(text)
    assert (recorder.effects(), recorder.events, recorder.engine.state.dirty) == ([], [], dirty)
    assert recorder.do("XINFO STREAM s FULL") == before
