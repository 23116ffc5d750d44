"""What a request leaves in the command log, and which events it raises."""

from __future__ import annotations

import pytest
from support.recorder import Recorder

from kvserver.engine.run.session import NoPort

SETUP = (
    "RPUSH l a b c",
    "SADD s only",
    "SADD two x y",
    "ZADD z 1 a 2 b",
    "HSET h f 1.5",
    "RPUSH one x",
    "ZADD zone 1 x",
)


EFFECTS = [
    ("SPOP s", ["SREM s only"], ["spop s", "del s"]),
    ("SPOP two 5", ["DEL two"], ["spop two", "del two"]),
    ("SPOP two 0", [], []),
    ("BLPOP none l 0", ["LPOP l"], ["lpop l"]),
    ("BRPOP one 0", ["RPOP one"], ["rpop one", "del one"]),
    ("BLMOVE l one LEFT RIGHT 0", ["LMOVE l one LEFT RIGHT"], ["rpush one", "lpop l"]),
    ("BRPOPLPUSH one l 0", ["RPOPLPUSH one l"], ["lpush l", "rpop one", "del one"]),
    ("LMPOP 2 none l RIGHT COUNT 2", ["RPOP l 2"], ["rpop l"]),
    ("BLMPOP 0 1 l LEFT", ["LPOP l 1"], ["lpop l"]),
    ("BZPOPMIN none z 0", ["ZPOPMIN z"], ["zpopmin z"]),
    ("BZPOPMAX zone 0", ["ZPOPMAX zone"], ["zpopmax zone", "del zone"]),
    ("ZMPOP 1 z MAX COUNT 9", ["ZPOPMAX z 2"], ["zpopmax z", "del z"]),
    ("HINCRBYFLOAT h f 1", ["HSET h f 2.5"], ["hincrbyfloat h"]),
    ("HDEL h f", ["HDEL h f"], ["hdel h", "del h"]),
    ("LTRIM l 0 -1", [], ["ltrim l"]),
    ("LTRIM l 1 1", ["LTRIM l 1 1"], ["ltrim l"]),
    ("LREM l 0 nothing", [], []),
    ("ZADD z 1 a", [], []),
    ("ZADD z XX 1 none", [], []),
    ("ZINCRBY z 1 a", ["ZINCRBY z 1 a"], ["zincr z"]),
    ("ZREMRANGEBYRANK z 0 -1", ["ZREMRANGEBYRANK z 0 -1"], ["zremrangebyrank z", "del z"]),
    ("ZUNIONSTORE to 2 z zone", ["ZUNIONSTORE to 2 z zone"], ["zunionstore to"]),
    ("ZINTERSTORE z 2 z none", ["ZINTERSTORE z 2 z none"], ["del z"]),
    ("ZINTERSTORE none 2 z none", [], []),
    ("SMOVE s two only", ["SMOVE s two only"], ["srem s", "del s", "sadd two"]),
    ("SDIFFSTORE to two none", ["SDIFFSTORE to two none"], ["sdiffstore to"]),
    ("SORT l ALPHA STORE to", ["SORT l ALPHA STORE to"], ["sortstore to"]),
    ("SADD s only", [], []),
    ("LPUSHX none x", [], []),
]


@pytest.mark.parametrize(("line", "effects", "events"), EFFECTS, ids=[row[0] for row in EFFECTS])
def test_effects_and_events(line: str, effects: list[str], events: list[str]) -> None:
    """What is logged is deterministic and as small as the change; the events are Redis's, in its order."""
    recorder = Recorder(SETUP)
    recorder.do(line)
    assert recorder.effects() == effects
    assert recorder.events == events


def test_a_served_client_is_logged_behind_the_write() -> None:
    """The log says first what was pushed, then what a waiting client took of it."""
    recorder = Recorder(SETUP)
    waiting = recorder.engine.open_session(NoPort())
    assert recorder.engine.execute(waiting, b"BLPOP queue 0".split()) is None
    recorder.do("RPUSH queue a b")
    assert waiting.blocked is None
    assert recorder.effects() == ["RPUSH queue a b", "LPOP queue"]


def test_many_popped_are_logged_in_batches() -> None:
    """SPOP of thousands of members becomes several SREMs that together name each of them."""
    recorder = Recorder(SETUP)
    recorder.do("SADD big " + " ".join(map(str, range(3000))))
    recorder.log.clear()
    recorder.do("SPOP big 2500")
    effects = [line.split() for line in recorder.effects() if line.startswith("SREM")]
    assert [len(words) - 2 for words in effects] == [1024, 1024, 452]
    left = {member.decode() for member in recorder.engine.dbs[0].keys.get(b"big")}
    assert {member for words in effects for member in words[2:]} == set(map(str, range(3000))) - left


def test_expired_keys_met_by_a_reader_are_logged_one_by_one() -> None:
    """What a read-only request finds expired is deleted in the log by plain DELs, in no transaction."""
    recorder = Recorder(SETUP)
    for key in ("k1", "k2"):
        recorder.do(f"SET {key} v PX 1")
    recorder.effects()
    recorder.log.clear()
    recorder.engine.state.now_ms += 10
    recorder.do("MGET k1 k2")
    assert recorder.effects() == ["DEL k1", "DEL k2"]
