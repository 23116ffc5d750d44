"""Hash fields that expire: replies, effects, events, and who deletes what."""

from __future__ import annotations

import pytest

from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.commands import all_handlers
from kvserver.engine.commands.keys.expiry import ExpiryCycle
from kvserver.engine.keys.freeing import free_some
from kvserver.engine.keys.hash_expiry import present
from kvserver.engine.keys.keyspace import EXPIRE_HIDE, EXPIRE_IGNORE, OBSERVE_NOTIFY, Db
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import NoPort, Session
from kvserver.engine.values.limits import Limits
from kvserver.engine.values.types import ExpiringHash, HashValue
from kvserver.wire.resp import Parser


class Node:
    """An engine at 1000 ms, one client of it, and all that is logged and told."""

    def __init__(self) -> None:
        self.engine = Engine(2, build_rows(all_handlers()))
        self.state = self.engine.state
        self.state.now_ms = 1000
        self.client: Session = self.engine.open_session(NoPort())
        self.events: list[str] = []
        self.log: list[bytes] = []
        self.do("HSET h a 1 b 2 c 3")
        self.engine.log.attach(self.log.append)
        self.engine.log.selected = 0
        self.state.notify_flags = 0x7FFF
        self.state.on_event = self.heard
        self.engine.dbs[0].observers |= OBSERVE_NOTIFY

    def heard(self, db: Db, key: bytes, event_class: int, event: bytes) -> None:
        if event not in (b"new", b"keymiss"):
            self.events.append(f"{event.decode()} {key.decode()}")

    def do(self, line: str) -> str:
        """The reply as it stands on the wire, blanks for line breaks."""
        reply = self.engine.execute(self.client, line.encode().split())
        assert reply is not None
        return reply.decode().replace("\r\n", " ").strip()

    def cycle(self) -> int:
        return ExpiryCycle().run(self.engine, lambda: True)

    def effects(self) -> list[str]:
        """What has been logged since the last call."""
        self.engine.log.flush()
        parser = Parser()
        parser.feed(b"".join(self.log))
        self.log.clear()
        found = []
        while (request := parser.next()) is not None:
            found.append(b" ".join(request).decode())
        return found


@pytest.fixture
def node() -> Node:
    return Node()


REPLIES = (
    ("HEXPIRE h 10 FIELDS 2 a none", "*2 :1 :-2"),
    ("HTTL h FIELDS 3 a b none", "*3 :10 :-1 :-2"),
    ("HPTTL h FIELDS 1 a", "*1 :10000"),
    ("HEXPIRETIME h FIELDS 1 a", "*1 :11"),
    ("HPEXPIRETIME h FIELDS 1 a", "*1 :11000"),
    ("HPEXPIRE h 1 FIELDS 1 b", "*1 :1"),
    ("HTTL h FIELDS 1 b", "*1 :1"),
    ("HPEXPIREAT h 12000 NX FIELDS 3 a c none", "*3 :0 :1 :-2"),
    ("HPEXPIREAT h 13000 XX FIELDS 2 a none", "*2 :1 :-2"),
    ("HEXPIREAT h 12 GT FIELDS 2 a b", "*2 :0 :1"),
    ("HEXPIREAT h 12 LT FIELDS 2 a c", "*2 :1 :0"),
    ("HPERSIST h FIELDS 3 a a none", "*3 :1 :-1 :-2"),
    ("HPEXPIRE h 10 GT FIELDS 1 a", "*1 :0"),
    ("HPEXPIRE h 10 XX FIELDS 1 a", "*1 :0"),
    ("HPEXPIRE h 10 LT FIELDS 1 a", "*1 :1"),
    ("HPEXPIRE h 0 FIELDS 2 a a", "*2 :2 :-2"),
    ("HEXPIREAT h 1 FIELDS 1 b", "*1 :2"),
    ("HLEN h", ":1"),
    ("HEXPIRE none 10 FIELDS 2 a b", "*2 :-2 :-2"),
    ("HTTL none FIELDS 1 a", "*1 :-2"),
    ("HPERSIST none FIELDS 1 a", "*1 :-2"),
    ("HEXPIRE h x FIELDS 1 c", "-ERR value is not an integer or out of range"),
    ("HEXPIRE h -1 FIELDS 1 c", "-ERR invalid expire time, must be >= 0"),
    ("HEXPIRE h 70368744178 FIELDS 1 c", "-ERR invalid expire time in 'hexpire' command"),
    ("HPEXPIREAT h 70368744177664 FIELDS 1 c", "-ERR invalid expire time in 'hpexpireat' command"),
    ("HPEXPIREAT h 70368744177663 FIELDS 1 c", "*1 :1"),
    ("HEXPIRE h 1 FIELDS 2 c", "-ERR The `numfields` parameter must match the number of arguments"),
    ("HEXPIRE h 1 NX FIELDS 1", "-ERR The `numfields` parameter must match the number of arguments"),
    ("HEXPIRE h 1 FIELDS 0 c", "-ERR Parameter `numFields` should be greater than 0"),
    ("HEXPIRE h 1 YY FIELDS 1 c", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
    ("HTTL h FIELDS 0 c", "-ERR Number of fields must be a positive integer"),
    ("HTTL h c 1 FIELDS", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
    ("HTTL h FIELDS 1", "-ERR wrong number of arguments for 'httl' command"),
    ("SET s x", "+OK"),
    ("HEXPIRE s x FIELDS 1 c", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("HTTL s x 1 c", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("HPERSIST s x 1 c", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
)


def test_replies(node: Node) -> None:
    """Each field is answered with its number, and each mistake with Redis's words."""
    for line, reply in REPLIES:
        assert node.do(line) == reply, line


STORIES = (
    (["HEXPIRE h 10 NX FIELDS 2 a none"], ["HPEXPIREAT h 11000 FIELDS 1 a"], ["hexpire h"]),
    (["HPEXPIREAT h 500 FIELDS 2 a b"], ["HDEL h a b"], ["hdel h"]),
    (["HEXPIRE h 0 FIELDS 3 a b c"], ["HDEL h a b c"], ["hdel h", "del h"]),
    (["HEXPIRE h 10 XX FIELDS 1 a", "HPERSIST h FIELDS 1 a"], [], []),
    (["HEXPIRE h 10 FIELDS 1 a", "HPERSIST h FIELDS 2 a b"],
     ["HPEXPIREAT h 11000 FIELDS 1 a", "HPERSIST h FIELDS 2 a b"], ["hexpire h", "hpersist h"]),
    (["HEXPIRE h 10 FIELDS 1 a", "HINCRBYFLOAT h a 1"],
     ["HPEXPIREAT h 11000 FIELDS 1 a", "MULTI", "HSET h a 2", "HPEXPIREAT h 11000 FIELDS 1 a", "EXEC"],
     ["hexpire h", "hincrbyfloat h"]),
)


@pytest.mark.parametrize(("lines", "effects", "events"), STORIES)
def test_effects_are_deterministic(node: Node, lines: list[str], effects: list[str], events: list[str]) -> None:
    """Times are logged as absolute ones of the fields that got them, what is past as HDEL."""
    for line in lines:
        node.do(line)
    assert node.effects() == effects
    assert node.events == events


def test_setting_a_field_ends_its_time_and_counting_does_not(node: Node) -> None:
    """HSET makes a field live for ever, HINCRBY and HINCRBYFLOAT leave its time alone."""
    node.do("HEXPIRE h 10 FIELDS 2 a b")
    node.do("HINCRBY h a 1")
    node.do("HINCRBYFLOAT h a 1.5")
    node.do("HSET h b 1")
    assert node.do("HTTL h FIELDS 2 a b") == "*2 :10 :-1"


READERS = (
    ("HGET h a", "$-1"),
    ("HMGET h a b", "*2 $-1 $1 2"),
    ("HEXISTS h a", ":0"),
    ("HSTRLEN h a", ":0"),
    ("HTTL h FIELDS 1 a", "*1 :-2"),
    ("HGETALL h", "*4 $1 b $1 2 $1 c $1 3"),
    ("HKEYS h", "*2 $1 b $1 c"),
    ("HVALS h", "*2 $1 2 $1 3"),
    ("HRANDFIELD h 5", "*2 $1 b $1 c"),
)


@pytest.mark.parametrize(("line", "reply"), READERS)
def test_a_reader_finds_no_field_whose_time_is_over(node: Node, line: str, reply: str) -> None:
    """A primary deletes it then, and logs that; a replica hides it; the primary's stream sees it."""
    node.do("HPEXPIRE h 10 FIELDS 1 a")
    node.effects()
    node.state.now_ms += 10
    node.state.expire_mode = EXPIRE_IGNORE
    assert node.do(line) != reply
    node.state.expire_mode = EXPIRE_HIDE
    assert node.do(line) == reply
    assert node.do("HLEN h") == ":3"
    assert node.effects() == []
    node.state.expire_mode = 0
    node.events.clear()
    assert node.do(line) == reply
    assert node.effects() == ["HDEL h a"]
    assert node.events == ["hexpired h"]
    assert node.do("HLEN h") == ":2"


def test_hscan_leaves_out_what_is_over_and_values_when_asked(node: Node) -> None:
    """HSCAN hides such fields, and NOVALUES returns names alone."""
    node.do("HPEXPIRE h 10 FIELDS 2 a b")
    assert node.do("HSCAN h 0 COUNT 5 NOVALUES") == "*2 $1 0 *3 $1 a $1 b $1 c"
    node.state.now_ms += 10
    assert node.do("HSCAN h 0") == "*2 $1 0 *2 $1 c $1 3"
    assert node.do("HSCAN h 0 MATCH NOVALUES") == "*2 $1 0 *0"


def test_a_writer_starts_from_nothing_when_the_time_is_over(node: Node) -> None:
    """HINCRBY counts from 0, HSETNX sets, and a hash that is gone with its last field comes anew."""
    node.do("HPEXPIRE h 10 FIELDS 3 a b c")
    node.state.now_ms += 10
    assert node.do("HINCRBY h a 1") == ":1"
    assert node.do("HSETNX h b 7") == ":1"
    assert node.do("HGET h c") == "$-1"
    assert node.do("HGETALL h") == "*4 $1 a $1 1 $1 b $1 7"
    node.do("HPEXPIRE h 10 FIELDS 2 a b")
    node.state.now_ms += 10
    assert node.do("HGET h a") == "$-1"
    assert node.do("HGET h b") == "$-1"
    assert node.do("EXISTS h") == ":0"


def test_the_cycle_deletes_what_nobody_asks_for(node: Node) -> None:
    """Fields are deleted when their time comes, the hash with the last of them, and the HDELs are logged."""
    node.do("HPEXPIRE h 10 FIELDS 1 a")
    node.do("HPEXPIRE h 20 FIELDS 2 b c")
    node.effects()
    node.events.clear()
    assert node.cycle() == 0
    node.state.now_ms += 10
    assert node.cycle() == 1
    assert node.effects() == ["HDEL h a"]
    node.state.now_ms += 10
    assert node.cycle() == 2
    assert node.effects() == ["HDEL h b c"]
    assert node.events == ["hexpired h", "hexpired h", "del h"]
    assert node.do("EXISTS h") == ":0"
    assert node.cycle() == 0
    assert not len(node.engine.dbs[0].field_expires)
    assert node.state.expired_fields == 3


@pytest.mark.parametrize("line", ["RENAME h other", "COPY h other", "MOVE h 1", "SWAPDB 0 1"])
def test_the_cycle_follows_a_hash_to_its_new_place(node: Node, line: str) -> None:
    """Fields keep their time under another key or in another database."""
    node.do("HPEXPIRE h 10 FIELDS 1 a")
    node.do(line)
    node.state.now_ms += 10
    assert node.cycle() == (2 if line.startswith("COPY") else 1)
    for db in node.engine.dbs:
        assert all(len(value) == 2 for _, value in db.keys.items())


def test_the_cycle_stops_when_its_time_is_up_and_goes_on_there(node: Node) -> None:
    """A big hash is expired in slices."""
    for i in range(200):
        node.do(f"HSET big f{i} x")
    node.do("HPEXPIRE big 10 FIELDS 200 " + " ".join(f"f{i}" for i in range(200)))
    node.state.now_ms += 10
    cycle = ExpiryCycle()
    counts = [cycle.run(node.engine, lambda: False) for _ in range(20)]
    assert max(counts) <= 64
    assert sum(counts) == 200


def test_a_stale_hint_is_forgotten(node: Node) -> None:
    """A key that was deleted, or holds something else, isn't looked at for ever."""
    db = node.engine.dbs[0]
    node.do("HEXPIRE h 100 FIELDS 1 a")
    assert present(db)
    node.do("DEL h")
    assert not present(db)
    node.cycle()
    assert not len(db.field_expires)


def test_a_hash_without_such_fields_is_a_plain_one(node: Node) -> None:
    """The possibility costs other hashes nothing: they are of another type, and are logged and named as ever."""
    node.do("HEXPIRE h 10 FIELDS 1 a")
    node.do("HSET plain a 1")
    values = node.engine.dbs[0].keys
    assert type(values.get(b"plain")) is HashValue
    assert type(values.get(b"h")) is ExpiringHash
    assert node.do("TYPE h") == "+hash"
    assert values.get(b"h").encoding() == b"listpackex"


def test_a_frozen_view_and_a_clone_stay_as_they_were(node: Node) -> None:
    """What a snapshot or a copy holds doesn't follow later changes, times included."""
    node.do("HEXPIRE h 10 FIELDS 2 a b")
    value: ExpiringHash = node.engine.dbs[0].keys.get(b"h")
    view, twin = value.freeze(), value.clone()
    node.do("HSET h a 5 b 6")
    node.do("HDEL h c")
    assert dict(view.items()) == {b"a": b"1", b"b": b"2", b"c": b"3"}
    assert [view.ttls.get(field) for field in (b"a", b"b", b"c")] == [11000, 11000, None]
    assert [twin.ttl_at(field) for field in (b"a", b"b", b"c")] == [11000, 11000, -1]
    assert value.ttl_at(b"a") == -1


def test_a_big_one_is_freed_in_slices(node: Node) -> None:
    """Fields and times of a hash that is let go are dropped part by part."""
    value = ExpiringHash(Limits())
    for i in range(5000):
        value.put(b"%d" % i, b"x")
        value.expire_at(b"%d" % i, 5000 + i)
    db = node.engine.dbs[0]
    db.put(b"big", value)
    db.remove(b"big")
    assert node.state.trash
    free_some(node.state, lambda: True)
    assert not node.state.trash
    assert not len(value.ttls)
