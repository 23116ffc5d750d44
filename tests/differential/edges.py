"""Numbers at the edges of 64 bits, in command lines and in the data sets that these leave behind.

C's integers wrap and Python's do not, so that is where the two servers may part, or where ours may fail altogether.
A round is a random sequence of the lines of `SYNTAX` and of `MORE`, in which nearly every number is an edge.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support import Server, start_kvserver, start_redis, wait_until

from differential.grammar import KEYS, KINDS, PRELUDE, SYNTAX
from differential.mistakes import requests
from differential.peers import Peer, comparable
from persistence.rdb.crc64 import crc64
from persistence.rdb.model import Consumer, Group, Pending, StreamData
from persistence.rdb.opcodes import TYPE_STREAM_LISTPACKS_2, WRITE_VERSION
from persistence.rdb.write.stream_writer import stream_pieces

BASES = (0, 2**31, 2**32, 2**53, 2**63, 2**64)
EDGES = sorted({sign * base + step for base in BASES for step in (-1, 0, 1) for sign in (-1, 1)})
"""0, ±1, and each power of two that a C type or a double ends at, with its neighbours, either sign."""
_TEXTS = [b"%d" % edge for edge in EDGES]
_UNSIGNED = [b"%d" % edge for edge in EDGES if edge >= 0]
_IDS = [*_UNSIGNED, *(b"%b-%b" % (ms, seq) for ms in _UNSIGNED[1:] for seq in (b"0", b"1", _UNSIGNED[-2]))]
_OFFSETS = [text for text in _TEXTS if not 2**20 < int(text) < 2**32]
"""Not those which make a string of half a gigabyte."""
_SHIFTS = [b"%d" % (8 * edge) for edge in EDGES if not 2**20 < 8 * edge < 2**32]
_SCORES = [*_TEXTS, b"(%d" % (2**53 + 1), b"1e308", b"-1e308", b"4.9e-324", b"inf", b"-inf"]
# Times aren't 1: none is to pass meanwhile.
NUMBERS: dict[str, list[bytes]] = {
    **dict.fromkeys(("int", "num", "future", "index", "small", "decimal", "edgenumber"), _TEXTS),
    "score": [text for text in _SCORES if text[:1] != b"("],
    "bound": [*_SCORES, *(b"(" + text for text in _TEXTS[::3])],
    "bit": [*_OFFSETS, *_SHIFTS],
    "place": [*_OFFSETS, *(b"#" + text for text in _TEXTS)],
    **{kind: [text for text in _TEXTS if text != b"1"] for kind in ("seconds", "far", "span", "idle")},
    "offset": _OFFSETS,
    "most": [text for text in _TEXTS if int(text) >= 2**31 - 1],
    "none": [text for text in _TEXTS if int(text) < 1],
    "id": _IDS,
    "newid": [*_IDS, *(ms + b"-*" for ms in _UNSIGNED)],
    "edge": [*_IDS, *(b"(" + text for text in _IDS[::3]), b"-", b"+"],
}
MORE = """
SETRANGE nkey offset word
SPOP skey most
SPOP skey none
PEXPIRE anykey span
EXPIREAT anykey edgenumber
SET nkey num PX span
SET nkey num EXAT edgenumber
SET nkey num PXAT edgenumber
PSETEX nkey span num
GETEX nkey EXAT edgenumber
COPY anykey anykey DB edgenumber
MOVE anykey edgenumber
SELECT edgenumber
SCAN ZERO COUNT most
SRANDMEMBER skey most
BITFIELD nkey SET i64 place edgenumber
BITFIELD nkey OVERFLOW WRAP|SAT|FAIL INCRBY i64 place edgenumber
BITFIELD nkey OVERFLOW WRAP|SAT|FAIL INCRBY u63 place edgenumber
XADD xkey id field value
XADD xkey id field value
XSETID xkey id ENTRIESADDED edgenumber MAXDELETEDID id
XGROUP CREATE xkey group id ENTRIESREAD edgenumber
XGROUP SETID xkey group id ENTRIESREAD edgenumber
XREADGROUP GROUP group consumer COUNT edgenumber STREAMS xkey >
XCLAIM xkey group consumer idle id id IDLE edgenumber FORCE
XCLAIM xkey group consumer idle id TIME edgenumber RETRYCOUNT edgenumber FORCE
XCLAIM xkey group consumer idle id RETRYCOUNT edgenumber LASTID id FORCE JUSTID
XAUTOCLAIM xkey group consumer idle id COUNT none
XPENDING xkey group IDLE edgenumber edge edge edgenumber
XPENDING xkey group edge edge edgenumber consumer
XRANGE xkey edge edge COUNT edgenumber
XINFO STREAM xkey
XINFO GROUPS xkey
RPUSH lkey num num
HSET hkey field num
SADD skey num
HINCRBY hkey field int
"""
LINES = [*SYNTAX.strip().splitlines(), *MORE.strip().splitlines()]
NOT_HERE = frozenset((b"MULTI", b"EXEC", b"DISCARD", b"PFADD", b"PFMERGE", b"PFDEBUG", b"PFCOUNT"))
_HUGE = frozenset(text for text in _TEXTS if int(text) >= 2**31)
"""As XAUTOCLAIM's COUNT, Redis refuses some of them for want of memory: it reserves room for that many ids."""
_EDGY = 0.75
"""The share of numbers that are edges."""


def line(rng: random.Random) -> list[bytes]:
    """A command line."""
    while True:
        words = expand(rng, rng.choice(LINES).split())
        if words[0] not in NOT_HERE and not (words[0] == b"XAUTOCLAIM" and _HUGE.intersection(words[6:])):
            return words


def expand(rng: random.Random, words: list[str]) -> list[bytes]:
    """A line of the syntax as arguments; `grammar` says what its words mean."""
    out: list[bytes] = []
    while words:
        word, *words = words
        if word.startswith("["):
            group = [word[1:]]
            while not group[-1].endswith("]"):
                word, *words = words
                group.append(word)
            group[-1] = group[-1][:-1]
            if rng.random() < 0.5:
                out += expand(rng, group)
        elif word.endswith("+"):
            out += [one(rng, word[:-1]) for _ in range(rng.randint(1, 3))]
        elif word.endswith("keys"):
            keys = [one(rng, word[:-1]) for _ in range(rng.randint(1, 3))]
            out += [b"%d" % len(keys), *keys]
        else:
            out.append(one(rng, rng.choice(word.split("|"))))
    return out


def one(rng: random.Random, kind: str) -> bytes:
    """One argument of a kind, or the word itself."""
    edges = NUMBERS.get(kind)
    if edges is not None and (kind not in KINDS or rng.random() < _EDGY):
        return rng.choice(edges)
    return rng.choice(KINDS[kind]) if kind in KINDS else kind.encode()


def stream_payload(rng: random.Random) -> bytes:
    """What RESTORE takes for a stream whose ids, counts and times are edges, signed where the format has signs."""

    def number() -> int:
        return rng.choice(EDGES) % 2**64

    def when() -> int:
        return (rng.choice(EDGES) + 2**63) % 2**64 - 2**63

    ids = sorted({(number(), number()) for _ in range(rng.randint(1, 4))} - {(0, 0)})
    if not ids:
        return stream_payload(rng)
    data = StreamData([(entry, [b"f", b"v"]) for entry in ids], ids[-1], ids[0], (number(), number()), number())
    for name in (b"g", b"k"):
        pending = {entry: Pending(when(), number()) for entry in rng.sample(ids, rng.randint(0, len(ids)))}
        owners = [Consumer(b"alice", when(), pending=sorted(pending)), Consumer(b"bob", when())]
        data.groups.append(Group(name, (number(), number()), when(), pending, owners))
    body = b"".join(
        [bytes((TYPE_STREAM_LISTPACKS_2,)), *stream_pieces(data, True), WRITE_VERSION.to_bytes(2, "little")]
    )
    return body + crc64(body).to_bytes(8, "little")


def script(rng: random.Random, lines: int = 40) -> list[list[bytes]]:
    """A round: an empty server, the prelude, some lines; at the end all keys are asked for, as some have expired."""
    ask = [part for db in (b"1", b"0") for part in ([b"SELECT", db], [b"EXISTS", *KEYS, b"y1", b"p1", b"p2"])]
    some = rng.random() < 0.5
    restored = [[b"RESTORE", b"x1", b"0", stream_payload(rng), b"REPLACE"]] if some else []
    return [[b"SELECT", b"0"], [b"FLUSHALL"], *PRELUDE, *restored, *(line(rng) for _ in range(lines)), *ask]


def spoiled(name: str) -> Iterator[list[bytes]]:
    """The plain requests of a command of the catalogue, each of their numbers an edge in turn."""
    for words in requests(name):
        texts = [word.text for word in words]
        for place, word in enumerate(words):
            if word.kind in ("integer", "double", "unix-time"):
                for edge in _TEXTS:
                    yield [*texts[:place], edge, *texts[place + 1 :]]


def facts(peer: Peer) -> dict[bytes, Any]:
    """The data of database 0: a digest of each value, when it expires, and all that is known of streams."""
    keys = sorted(peer.run([[b"SELECT", b"0"], [b"KEYS", b"*"]])[1])
    found: dict[bytes, Any] = {}
    for key in keys:
        kind, digest, when = peer.run([[b"TYPE", key], [b"DEBUG", b"DIGEST-VALUE", key], [b"PEXPIRETIME", key]])
        found[key] = [kind, comparable([b"-"], digest), when]
        if kind == b"stream":
            full = peer.run([[b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"]])[0]
            found[key].append(timeless(full))
    return found


def settled(line: list[bytes], reply: Any) -> Any:
    """A reply that can be compared: SCAN has no order, and of XPENDING's times counts only of which age they are."""
    if line[0] == b"XPENDING" and isinstance(reply, list) and all(isinstance(item, list) for item in reply):
        return [[entry, who, idle > 10**7, count] for entry, who, idle, count in reply]
    if line[0] == b"SCAN" and isinstance(reply, list):
        return reply[0], sorted(reply[1])
    return comparable(line, reply)


def timeless(full: list[Any]) -> Any:
    """XINFO STREAM FULL without what is each server's own: its radix tree, and when it was asked."""
    pairs = dict(zip(full[::2], full[1::2], strict=True))
    pairs.pop(b"radix-tree-keys")
    pairs.pop(b"radix-tree-nodes")
    for group in pairs[b"groups"]:
        for consumer in group[group.index(b"consumers") + 1]:
            consumer[consumer.index(b"seen-time") + 1] = 0
    return pairs


def entire(peer: Peer) -> bytes:
    """DEBUG DIGEST."""
    reply: bytes = peer.run([[b"DEBUG", b"DIGEST"]])[0]
    return reply


class Servers:
    """Ours and Redis's, and a replica of each that is the other's: every format that data can take."""

    def __init__(self, ours: Server, theirs: Server, their_replica: Server, our_replica: Server) -> None:
        self.ours, self.theirs = Peer(ours.port, 2), Peer(theirs.port, 2)
        self.mirror = Peer(their_replica.port, 2)
        self.back = Peer(our_replica.port, 2)
        self.port, self.mirror_port = ours.port, their_replica.port

    def replies(self, lines: list[list[bytes]]) -> list[tuple[list[bytes], Any, Any]]:
        """(line, our reply, Redis's reply) where the two differ."""
        mine, real = self.ours.run(lines), self.theirs.run(lines)
        pairs = [(line, settled(line, a), settled(line, b)) for line, a, b in zip(lines, mine, real, strict=True)]
        return [each for each in pairs if each[1] != each[2]]

    def reloaded(self) -> Iterator[str]:
        """Ways of saving and loading after which our data aren't what they were."""
        before, total = facts(self.ours), entire(self.ours)
        for way, lines in {
            "DEBUG RELOAD": [[b"SAVE"], [b"DEBUG", b"RELOAD"]],
            "preamble": [[b"CONFIG", b"SET", b"aof-use-rdb-preamble", b"yes"], [b"BGREWRITEAOF"]],
            "commands": [[b"CONFIG", b"SET", b"aof-use-rdb-preamble", b"no"], [b"BGREWRITEAOF"]],
        }.items():
            replies = self.ours.run(lines)
            if b"BGREWRITEAOF" in lines[-1]:
                wait_until(lambda: b"aof_rewrite_in_progress:0" in self.ours.run([[b"INFO", b"persistence"]])[0])
                info = self.ours.run([[b"INFO", b"persistence"]])[0]
                if b"aof_last_bgrewrite_status:ok" not in info:
                    yield f"{way}: the rewrite failed"
                replies += self.ours.run([[b"DEBUG", b"LOADAOF"]])
            errors = [str(reply) for reply in replies if isinstance(reply, Exception)]
            if errors:
                yield f"{way}: {errors}"
            if entire(self.ours) != total or (way != "commands" and facts(self.ours) != before):
                yield f"{way}: other data"

    def dumped(self) -> Iterator[str]:
        """Keys whose DUMP isn't restored as it was, by the other server and by our own."""
        for source, targets in ((self.ours, (self.theirs, self.ours)), (self.theirs, (self.ours,))):
            before = facts(source)
            payloads = dict(zip(before, source.run([[b"DUMP", key] for key in before]), strict=True))
            for target in targets:
                target.run([[b"SELECT", b"0"]])
                for key, payload in payloads.items():
                    if not isinstance(payload, bytes):
                        yield f"DUMP {key!r}: {payload}"
                        continue
                    when = max(0, before[key][2])
                    reply = target.run([[b"RESTORE", key, b"%d" % when, payload, b"REPLACE", b"ABSTTL"]])[0]
                    if reply != b"OK":
                        yield f"RESTORE {key!r}: {reply}"
                after = facts(target)
                yield from (f"DUMP, RESTORE: {key!r}" for key in before if after.get(key) != before[key])

    def replicated(self) -> Iterator[str]:
        """Replicas which after a full synchronization hold something else: Redis's of ours, and ours of that one."""
        total = entire(self.ours)
        for peer, port, name in ((self.mirror, self.port, "Redis's"), (self.back, self.mirror_port, "our")):
            peer.run([[b"REPLICAOF", b"127.0.0.1", b"%d" % port]])
            wait_until(lambda peer=peer: b"master_link_status:up" in peer.run([[b"INFO", b"replication"]])[0], 20)
            if entire(peer) != total:
                yield f"{name} replica: other data"
        for peer in (self.back, self.mirror):
            peer.run([[b"REPLICAOF", b"NO", b"ONE"], [b"FLUSHALL"]])

    def internal_errors(self) -> int:
        """How often our server had no answer."""
        info: bytes = self.ours.run([[b"INFO", b"stats"]])[0]
        return int(info.split(b"unexpected_error_replies:")[1].split()[0])


@contextmanager
def servers() -> Iterator[Servers]:
    """Start all four."""
    options: dict[str, Any] = {"enable_debug_command": "yes", "repl_diskless_sync_delay": 0}
    with (
        start_kvserver(appendonly="yes", appendfsync="no", **options) as ours,
        start_redis(**options) as theirs,
        start_redis(**options) as their_replica,
        start_kvserver(**options) as our_replica,
    ):
        yield Servers(ours, theirs, their_replica, our_replica)
