"""The same users on us and on a real server: rules, their texts, and what they allow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, strategies as st
from support import start_kvserver, start_redis

from differential.peers import Peer, comparable
from differential.profile import bounded
from kvserver.engine.command_table.catalog import CATEGORY_ORDER, later

NAMES = (b"u", b"v")
LATER = frozenset(name.lower().encode() for name in later())
WORDS = (
    b"on off nopass >a >b <a resetpass ~a* ~b %R~c* %W~d %RW~a* %R~* ~* allkeys resetkeys &x &y* &* resetchannels "
    b"+get -get +set +mget +config +config|get -config -config|set +select|1 +select|2 -select clearselectors reset "
    b"+@all -@all nocommands allcommands sanitize-payload skip-sanitize-payload bogus +nope #zz ON +GET +@READ %r~q "
    b"% %~ %R & ~ ) () +subscribe +psubscribe +publish +multi +exec +sort +copy +ping +debug|digest +acl|whoami"
)
RULES = [*WORDS.split(), b"(+get ~k)", b"(+set %W~w &z)", b"(+nope)", b"~x y"]
CATEGORIES = [sign + b"@" + name.encode() for name in CATEGORY_ORDER for sign in (b"+", b"-")]
LINES = [
    line.split()
    for line in (
        b"GET a1", b"GET k", b"GET c1", b"GET", b"SET b 1", b"SET w 1", b"SET c1 1 GET", b"MGET a b", b"COPY c d",
        b"CONFIG GET x", b"CONFIG SET x 1", b"CONFIG", b"SELECT 1", b"SELECT 3", b"PUBLISH x 1", b"SUBSCRIBE x y1",
        b"PSUBSCRIBE y*", b"PSUBSCRIBE y1", b"SPUBLISH z 1", b"UNSUBSCRIBE q", b"PING", b"EVAL x 1 a", b"EVAL x z a",
        b"EXISTS b", b"SORT a STORE b", b"SORT a BY w*", b"ACL WHOAMI", b"AUTH x", b"DEBUG digest", b"NOPE",
        b"MIGRATE h 1 k 0 1", b"GEORADIUS a 1 1 1 m STORE b", b"ZUNIONSTORE b 2 a c", b"LMPOP 1 a LEFT",
        b"BITFIELD c GET u8 0", b"OBJECT FREQ b", b"MEMORY USAGE b",
    )
]  # fmt: skip


@pytest.fixture(scope="module")
def peers() -> Iterator[tuple[Peer, Peer]]:
    with start_kvserver() as ours, start_redis() as theirs:
        pair = Peer(ours.port, 2), Peer(theirs.port, 2)
        yield pair
        for peer in pair:
            peer.close()


def step() -> st.SearchStrategy[list[bytes]]:
    """A user is changed, or asked what it may do."""
    name = st.sampled_from(NAMES)
    rules = st.lists(st.one_of(st.sampled_from(RULES), st.sampled_from(CATEGORIES)), max_size=5)
    change = st.builds(lambda who, words: [b"ACL", b"SETUSER", who, *words], name, rules)
    question = st.builds(lambda who, line: [b"ACL", b"DRYRUN", who, *line], name, st.sampled_from(LINES))
    return st.one_of(change, question)


def described(reply: Any) -> Any:
    """ACL GETUSER, single commands sorted: Redis lists them in the order of a hash table; it has no later ones."""
    if isinstance(reply, list):
        return [described(item) for item in reply]
    if isinstance(reply, bytes):
        return sorted(word for word in reply.split() if word[1:] not in LATER)
    return comparable([b"ACL"], reply)


@bounded(120)
@given(steps=st.lists(step(), min_size=4, max_size=30))
def test_same_rules_same_users(peers: tuple[Peer, Peer], steps: list[list[bytes]]) -> None:
    """Any rules are taken or refused as by Redis, allow the same, and are described by the same words."""
    ours, theirs = peers
    script = [[b"ACL", b"DELUSER", *NAMES], *[[b"ACL", b"SETUSER", name] for name in NAMES], *steps]
    mine, real = ours.run(script), theirs.run(script)
    for number in range(1, len(script)):
        assert comparable([b"ACL"], mine[number]) == comparable([b"ACL"], real[number]), script[: number + 1]
    for name in NAMES:
        question = [[b"ACL", b"GETUSER", name]]
        assert described(ours.run(question)) == described(theirs.run(question)), script
