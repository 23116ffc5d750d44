"""The fast way beside the careful one: two engines, the same bytes, and nothing may differ but the time it took."""

from __future__ import annotations

import random

import pytest

from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.command_table.row import WRITE
from kvserver.engine.commands import all_handlers
from kvserver.engine.fast import way
from kvserver.engine.fast.way import FastWay
from kvserver.engine.keys import keyspace
from kvserver.engine.keys.keyspace import OBSERVE_WATCH
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import ATT_CLOSE, NoPort
from kvserver.wire.resp import Parser

COMPILED = way.__file__.endswith((".so", ".pyd"))
KEYS = [b"a", b"b", b"n", b"n2", b"list", b"late", b"timed", b"", b"k" * 255, b"k" * 256, b"\r\n"]
VALUES = [b"", b"0", b"1", b"-1", b"9" * 18, b"9" * 19, b"01", b"x", b"y" * 4096, b"z" * 4097, b"100000", b"-5", b"\0"]
WORDS = [b"EX", b"px", b"NX", b"KEEPTTL", b"GET", b"100", b"0"]
NAMES = (
    b"GET SET INCR DECR INCRBY DECRBY MGET MSET SETNX DEL UNLINK EXISTS STRLEN SETEX PSETEX EXPIRE PEXPIRE TTL PTTL "
    b"get Set ttl LPUSH APPEND PERSIST SELECT TYPE NONE"
).split()
TAKES = {
    **dict.fromkeys((b"SET", b"SETNX", b"INCRBY", b"DECRBY", b"EXPIRE", b"PEXPIRE", b"LPUSH", b"APPEND"), (2,)),
    **dict.fromkeys((b"MGET", b"DEL", b"UNLINK", b"EXISTS"), (1, 2, 70)),
    **dict.fromkeys((b"SETEX", b"PSETEX"), (3,)),
    b"MSET": (2, 4, 60),
}
"""How many arguments commands take; others take one."""


def drawn(rng: random.Random) -> list[bytes]:
    """A request: mostly with as many arguments as its command takes, often with ones that it wants."""
    name = rng.choice(NAMES)
    if name == b"SELECT":
        return [name, rng.choice((b"0", b"0", b"1"))]
    count = rng.choice(TAKES.get(name.upper(), (1,)) if rng.random() < 0.8 else (0, 1, 2, 3, 4, 80))
    words = [rng.choice(KEYS if i % 2 == 0 else VALUES) for i in range(count)]
    if name.upper() == b"SET" and rng.random() < 0.4:
        words += rng.choices(WORDS, k=rng.randrange(3))
    return [name, *words]


def packed(words: list[bytes]) -> bytes:
    """A request as clients write it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class Node:
    """An engine, a client of it, and the log."""

    def __init__(self, fast: bool, resp: int, logging: bool) -> None:
        self.engine = Engine(2, build_rows(all_handlers()))
        self.engine.state.now_ms = 1_000_000
        self.client = self.engine.open_session(NoPort())
        self.client.resp = resp
        self.parser = Parser()
        self.way = FastWay(self.engine) if fast else None
        self.served = 0
        self.sunk: list[bytes] = []
        if logging:
            self.engine.log.attach(self.sunk.append)

    def feed(self, data: bytes) -> bytes:
        """Serve what these bytes complete."""
        self.parser.feed(data)
        replies = []
        while True:
            if self.way is not None and (served := self.way.serve(self.client, self.parser)):
                self.served += served
                replies.append(self.way.take())
            request = self.parser.next()
            if request is None:
                return b"".join(replies)
            replies.append(self.engine.execute(self.client, request) or b"")

    def facts(self) -> list[object]:
        """All that is to be equal."""
        self.engine.log.flush()
        st = self.engine.state
        rows = {row.name: (row.calls, row.failed, row.rejected) for row in self.engine.rows.values()}
        keys = [{key: (value, db.ttl_at(key)) for key, value in db.keys.items()} for db in self.engine.dbs]
        shown = [
            {key: (list(v) if not isinstance(v, bytes | bytearray) else bytes(v), at) for key, (v, at) in d.items()}
            for d in keys
        ]
        counts = (st.dirty, st.hits, st.misses, st.expired_keys, self.engine.commands, self.engine.log.offset)
        return [shown, counts, rows, b"".join(self.sunk), self.client.write_offset, self.client.did]


@pytest.mark.parametrize("seed", range(20))
def test_both_ways_do_the_same(seed: int) -> None:
    """Any pipeline, cut anywhere: replies, data, counters and the log's bytes are those of the careful way."""
    rng = random.Random(seed)
    nodes = [Node(fast, 2 + seed % 2, seed % 3 > 0) for fast in (True, False)]
    for _ in range(60):
        raw = b"".join(packed(drawn(rng)) for _ in range(rng.choice((1, 5, 40))))
        raw += rng.choice((b"", b"PING\r\n", b"*0\r\n", b"*1\r\n$4\r\nPING\r\n"))
        cuts = sorted(rng.randrange(len(raw) + 1) for _ in range(rng.choice((0, 1, 9))))
        for i, j in zip([0, *cuts], [*cuts, len(raw)], strict=True):
            assert nodes[0].feed(raw[i:j]) == nodes[1].feed(raw[i:j])
        for node in nodes:
            node.feed(packed([b"PEXPIREAT", b"late", b"1000005"]))
            node.engine.state.now_ms += 3
        assert nodes[0].facts() == nodes[1].facts()
    assert nodes[1].served == 0
    if COMPILED:
        assert nodes[0].served > 200


def test_a_command_with_another_handler_has_no_form() -> None:
    """Who puts a handler of their own in the place of a command's is called."""
    node = Node(True, 2, False)
    node.engine.rows[b"INCR"].fn = lambda c, a: b"+mine\r\n"
    assert node.feed(packed([b"INCR", b"n"]) + packed([b"SET", b"n", b"1"])) == b"+mine\r\n+OK\r\n"


def test_a_log_is_repeated_the_same_way() -> None:
    """What another node's log says is done as by the careful way, expired keys and all."""
    rng = random.Random(3)
    nodes = [Node(fast, 2, False) for fast in (True, False)]
    for _ in range(300):
        raw = b"".join(packed(drawn(rng)) for _ in range(20))
        for node in nodes:
            node.engine.state.repeat(True)
            node.parser.feed(raw)
            while True:
                if node.way is not None:
                    node.served += node.way.repeat(node.client, node.parser)
                request = node.parser.next()
                if request is None:
                    break
                node.engine.execute(node.client, request)
            node.engine.state.repeat(False)
            node.engine.state.now_ms += 50
        assert nodes[0].facts() == nodes[1].facts()
    if COMPILED:
        assert nodes[0].served > 500


@pytest.mark.parametrize(
    "what", ["attention", "observer", "hook", "denied", "slow log", "transaction", "notifications", "use"]
)
def test_what_is_special_takes_the_careful_way(what: str) -> None:
    """Nothing is served past somebody who has to be asked or told."""
    node = Node(True, 2, True)
    engine, db = node.engine, node.engine.dbs[0]
    if what == "attention":
        node.client.attend(ATT_CLOSE, True)
    elif what == "observer":
        db.observers |= OBSERVE_WATCH
    elif what == "hook":
        db.hooks.append(lambda db, key: None)
    elif what == "denied":
        engine.deny = WRITE
    elif what == "slow log":
        engine.slow_s = 0.0
    elif what == "transaction":
        engine.depth = 1
    elif what == "notifications":
        engine.state.notify_flags = keyspace.EV_STRING
    else:
        db.access = object()
    node.parser.feed(packed([b"SET", b"a", b"b"]))
    assert node.way is not None
    assert node.way.serve(node.client, node.parser) == 0
    assert node.way.take() == b""
    assert not db.keys.used
