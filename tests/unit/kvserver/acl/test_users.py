"""Users in files and configurations, and the log of refusals."""

from __future__ import annotations

import pytest

from kvserver.acl.book import CommandBook
from kvserver.acl.log import AclLog, Entry
from kvserver.acl.rules import RuleError
from kvserver.acl.steps import finish
from kvserver.acl.users import Users
from kvserver.engine.command_table import catalog

BOOK = CommandBook(catalog.load().values())
UNCHANGED = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("foo bar", "f:1 should start with user keyword followed by the username. "),
        ("# comment", "f:1 should start with user keyword followed by the username. "),
        ("\nuser", "f:2 should start with user keyword followed by the username. "),
        ("user a\nuser a", "WARNING: Duplicate user 'a' found on line 2. "),
        ("user x +foo", "f:1: Error in applying operation '+foo': Unknown command or category name in ACL. "),
        ("user x zzz", "f:1: Syntax error. "),
        ("user x (~a", "f:1: Unmatched parenthesis in selector definition."),
        ("user a zzz\nuser b <x", "f:1: Syntax error. f:2: The password you are trying to remove from the user "
         "does not exist. "),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_whole(text: str, problem: str) -> None:
    """Each wrong line is named, and the users stay what they were."""
    users = Users(BOOK)
    users.configure(b"old", [b"+get"])
    before = users.lines()
    with pytest.raises(RuleError) as caught:
        users.load(text.encode(), "f")
    assert str(caught.value) == problem + UNCHANGED
    assert users.lines() == before


def test_a_file_replaces_all_users() -> None:
    """Users that the file lacks are gone; the default user keeps its identity and is reset when not mentioned."""
    users = Users(BOOK)
    default = users.default
    old, _ = users.configure(b"old", [b"+get"])
    users.configure(b"default", [b"off"])
    assert users.load(b"user new on ~a (+get  ~b)\n\n", "f") == [old]
    assert users.default is default
    assert users.lines() == [
        b"user default on nopass ~* &* +@all",
        b"user new on ~a resetchannels -@all (~b resetchannels -@all +get)",
    ]
    text = b"\n".join(users.lines())
    users.load(text, "f")
    assert b"\n".join(users.lines()) == text


def test_loading_changes_nothing_until_its_end() -> None:
    """In the middle of a long file the old users are in force; at its end, or at an error's, one set or the other."""
    users = Users(BOOK)
    users.configure(b"old", [b"on", b"+get"])
    before = users.lines()
    steps = users.loading(b"user a on +get\nuser b on +set\nuser c on", "f")
    for _ in range(3):
        next(steps)
        assert users.lines() == before
    assert [user.name for user in finish(steps)] == [b"old"]
    assert sorted(users.by_name) == [b"a", b"b", b"c", b"default"]


def test_users_that_change_while_they_are_described() -> None:
    """What is written is what the users were at one moment, whatever changes meanwhile, and how often."""
    users = Users(BOOK)
    for i in range(10):
        users.configure(b"u%d" % i, [b"+get"])
    for changes in (1, 100):
        steps = users.describing()
        lines: list[bytes] = []
        for turn in range(100):
            try:
                next(steps)
            except StopIteration as done:
                lines = done.value
                break
            if turn < changes:
                users.configure(b"u0", [b"+set" if turn % 2 else b"-set"])
                users.delete(b"u9")
        assert lines == users.lines()


def test_configuration_lines() -> None:
    """A `user` line defines a user from nothing, once; a wrong one is refused with the word it is about."""
    users = Users(BOOK)
    defined: set[bytes] = set()
    users.define([b"default", b"on", b"nopass", b"~*", b"+@all"], defined)
    assert users.lines() == [b"user default on nopass ~* resetchannels +@all"]
    for args, problem in (
        ([b"default", b"on"], "'default': Duplicate user found. A user can only be defined once in config files"),
        ([b"a b"], "'a b': Syntax error"),
        ([b"u", b"+nope"], "'+nope': Unknown command or category name in ACL"),
    ):
        with pytest.raises(RuleError) as caught:
            users.define(args, defined)
        assert str(caught.value) == f"Error in user declaration {problem}"


def test_requirepass_is_the_default_users_password() -> None:
    """The option's password replaces those of the default user, and the empty one takes them away."""
    users = Users(BOOK)
    users.set_default_password(b"a")
    users.set_default_password(b"b")
    assert len(users.default.passwords) == 1
    assert not users.default.no_password
    users.set_default_password(b"")
    assert users.default.no_password


def entry(what: bytes, at_ms: int = 0, user: bytes = b"u") -> Entry:
    return Entry("key", "toplevel", what, user, b"", at_ms)


def test_like_refusals_are_one_entry() -> None:
    """Refusals of a kind within a minute are counted in one entry, which becomes the newest."""
    log = AclLog()
    for what, at_ms in ((b"a", 0), (b"b", 1), (b"a", 60000), (b"a", 130000)):
        log.add(entry(what, at_ms), 10)
    log.add(entry(b"a", 130001, b"other"), 10)
    shown = [(each.what, each.user, each.count, each.at_ms) for each in log.entries]
    assert shown == [
        (b"a", b"other", 1, 130001),
        (b"a", b"u", 1, 130000),
        (b"a", b"u", 2, 60000),
        (b"b", b"u", 1, 1),
    ]


def test_the_log_is_bounded() -> None:
    """No more entries are kept than the option says, the newest ones, and none for zero."""
    log = AclLog()
    for i in range(50):
        log.add(entry(b"%d" % i), 5)
    assert [each.what for each in log.entries] == [b"49", b"48", b"47", b"46", b"45"]
    log.trim(2)
    assert len(log.entries) == 2
    log.add(entry(b"x"), 0)
    assert log.entries == []
