"""Plans: what says yes at once must say what the rules say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from kvserver.acl.book import CommandBook
from kvserver.acl.grants import Gatekeeper, plan_of
from kvserver.acl.user import User
from kvserver.acl.users import Users
from kvserver.engine.command_table.catalog import load
from kvserver.engine.command_table.keyspec import keys_of
from kvserver.engine.command_table.row import Row
from kvserver.engine.run.session import NoPort, Session

FACTS = load()
ROWS = {
    name.lower(): Row(name.lower(), lambda c, a: b"", facts.arity, 0, facts) for name, facts in FACTS.items()
}
BOOK = CommandBook(FACTS.values())
RULES = ("+@all", "-@all", "+@read", "-@write", "+get", "+set", "-mset", "+config|get", "+select|1", "resetkeys", "~*",
         "~app:*", "%R~read:*", "%W~write:*", "~exact", "~a?c", "~a*c", "allchannels", "resetchannels", "&news",
         "(+@all ~other:*)", "(+get %R~*)")  # fmt: skip
LINES = ("get {}", "set {} v", "set {} v GET", "mset {} v {} v", "mget {} {} {}", "del {} {}", "exists {}",
         "hset {} f v",
         "rename {} {}", "eval return 1 {}", "eval s 1 {}", "zunionstore {} 2 {} {}", "object|encoding", "ping",
         "config|get maxmemory", "publish news x", "publish other x", "subscribe news", "bitfield {} GET u8 0",
         "bitfield {} SET u8 0 1", "sort {} STORE {}", "copy {} {}", "lmpop 1 {} LEFT", "auth pw", "select 1",
         "xread COUNT 1 STREAMS {} 0", "mset {} v {}", "blpop {} {} 0")  # fmt: skip
KEYS = ("app:1", "app:", "ap", "read:1", "write:1", "exact", "exactly", "abc", "abbc", "other:1", "")


def user_with(*rules: str) -> tuple[Users, User]:
    """A user of those rules, and the users among whom it is."""
    users = Users(BOOK)
    user, _ = users.configure(b"bob", [rule.encode() for rule in rules])
    return users, user


def session_of(user: User) -> Session:
    """A session of a user, without any server."""
    c = Session(SimpleNamespace(), None, 1, NoPort())  # type: ignore[arg-type]
    c.acl = user
    return c


def request(line: str, keys: list[str]) -> tuple[Row, list[bytes]]:
    """The command of a line, and its arguments with keys filled in."""
    name, *words = line.split()
    row = ROWS[name]
    names = iter(keys * 9)
    args = [word.encode() if word != "{}" else next(names).encode() for word in words]
    return row, [*(part.encode() for part in name.split("|")), *args]


@given(
    st.lists(st.sampled_from(RULES), max_size=6),
    st.lists(st.tuples(st.sampled_from(LINES), st.lists(st.sampled_from(KEYS), min_size=1, max_size=3)), max_size=8),
)
def test_plans_say_what_the_rules_say(rules: list[str], requests: list[tuple[str, list[str]]]) -> None:
    """A request is let through at once exactly if the rules allow it, however often it was asked for before."""
    try:
        users, user = user_with(*rules)
    except Exception as refused:
        if "Error in ACL SETUSER" not in str(refused):
            raise
        return
    gatekeeper, c = Gatekeeper(users.default), session_of(user)
    for line, keys in requests * 2:
        row, args = request(line, keys)
        assert gatekeeper.allows(c, row, args) == (user.check(row.name, row.facts, args) is None)


@pytest.mark.parametrize(
    ("rules", "line", "always", "by_keys"),
    [
        (("+@all", "~*"), "mget {}", True, False),
        (("+@read", "~app:*"), "mget {}", False, True),
        (("+@all", "~app:*"), "set {} v", False, True),
        (("+@all", "~app:*"), "ping", True, False),
        (("+@all", "~app:*"), "eval s 1 {}", False, False),
        (("+@read", "~app:*"), "set {} v", False, False),
    ],
)
def test_the_plan_of_a_command(rules: tuple[str, ...], line: str, always: bool, by_keys: bool) -> None:
    """A command whose keys are where they always are needs no more than their comparison with the patterns."""
    _, user = user_with(*rules)
    row, _ = request(line, ["app:1"])
    plan = plan_of(user, row.name, row.facts)
    assert (plan.always, plan.first > 0) == (always, by_keys)


def test_changed_rules_change_the_plans() -> None:
    """What was allowed, and asked for, before a change is refused after it, and the other way round."""
    users, user = user_with("on", "+@all", "~app:*")
    gatekeeper, c = Gatekeeper(users.default), session_of(user)
    row, args = request("get {}", ["app:1"])
    assert gatekeeper.allows(c, row, args)
    users.configure(b"bob", [b"-get"])
    assert not gatekeeper.allows(c, row, args)
    users.configure(b"bob", [b"+get", b"resetkeys", b"~web:*"])
    assert not gatekeeper.allows(c, row, args)
    users.configure(b"bob", [b"~*"])
    assert gatekeeper.allows(c, row, args)


def test_the_default_user_is_meant_by_none() -> None:
    """A session without a user is the default user's, whose rules may be as narrow as any."""
    users = Users(BOOK)
    gatekeeper = Gatekeeper(users.default)
    c: Any = session_of(users.default)
    c.acl = None
    row, args = request("get {}", ["app:1"])
    assert gatekeeper.allows(c, row, args)
    users.configure(b"default", [b"-@all"])
    assert not gatekeeper.allows(c, row, args)


@pytest.mark.parametrize("line", LINES)
def test_the_keys_that_are_compared_are_the_commands(line: str) -> None:
    """Where a plan goes by keys, it compares each key of the request: a foreign one at any place is refused."""
    users, user = user_with("+@all", "~app:*")
    gatekeeper, c = Gatekeeper(users.default), session_of(user)
    row, args = request(line, ["app:1"])
    for key in keys_of(row.facts, args):
        foreign = [*args[: key.position], b"foreign", *args[key.position + 1 :]]
        assert not gatekeeper.allows(c, row, foreign)
