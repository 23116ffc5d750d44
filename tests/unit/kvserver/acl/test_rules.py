"""The language of rules: what each word does, what is refused and why, and the canonical text."""

from __future__ import annotations

import pytest

from kvserver.acl import rules
from kvserver.acl.book import CommandBook, uses_of
from kvserver.acl.rules import RuleError
from kvserver.acl.user import User
from kvserver.acl.users import Users
from kvserver.engine.command_table import catalog, keyspec

FACTS = catalog.load()
BOOK = CommandBook(FACTS.values())


def user_of(*words: str, all_channels: bool = False) -> User:
    user = User(b"u", BOOK, all_channels)
    for word in rules.merge_selectors([word.encode() for word in words]):
        rules.apply(user, word)
    return user


def may(user: User, *args: str) -> bool:
    line = [arg.encode() for arg in args]
    name = args[0].lower()
    if f"{args[0]}|{args[1] if len(args) > 1 else ''}".upper() in FACTS:
        name = f"{args[0]}|{args[1]}".lower()
    return user.check(name, FACTS[name.upper()], line) is None


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), b"off resetchannels -@all"),
        (("on", "nopass", "~*", "&*", "+@all"), b"on nopass ~* &* +@all"),
        (("+@all", "-@hash", "-@slow", "+hget"), b"off resetchannels +@all -@slow -@hash +hget"),
        (("+@read", "+config", "-config|get"), b"off resetchannels -@all +@read +config -config|get"),
        (("+select|0", "+SELECT|0", "+select|A"), b"off resetchannels -@all +select|0 +select|A"),
        (("~a", "%R~b", "%w~c", "%RW~d", "&x"), b"off ~a %R~b %W~c ~d resetchannels &x -@all"),
        (("%R~a", "%W~a"), b"off ~a resetchannels -@all"),
        (("%R",), b"off %R~ resetchannels -@all"),
        (("~a", "allkeys", "&a", "allchannels"), b"off ~* &* -@all"),
        (("~*", "resetkeys", "&*", "resetchannels"), b"off resetchannels -@all"),
        (("(+get", "~a", "&x)", "on"), b"on resetchannels -@all (~a resetchannels &x -@all +get)"),
        (("(+get)", "()", "clearselectors"), b"off resetchannels -@all"),
        (("on", "nopass", "+get", "(~a)", "reset"), b"off sanitize-payload resetchannels -@all"),
        (("skip-sanitize-payload",), b"off skip-sanitize-payload resetchannels -@all"),
        (("ALLCOMMANDS", "NoCommands", "+PING"), b"off resetchannels -@all +ping"),
    ],
)
def test_the_text_is_canonical(words: tuple[str, ...], text: bytes) -> None:
    """A user is described in Redis's order, by categories where they fit, whatever the rules were."""
    assert user_of(*words).describe() == text


@pytest.mark.parametrize("category", list(BOOK.categories))
def test_a_category_alone_describes_itself(category: str) -> None:
    """A user made by one category is described by that category and nothing else."""
    assert user_of("+@all", f"-@{category}").selectors[0].command_rules() == f"+@all -@{category}".encode()
    assert user_of("-@all", f"+@{category}").selectors[0].command_rules() == f"-@all +@{category}".encode()


@pytest.mark.parametrize(
    "words",
    [
        ("+@all", "-@dangerous", "+config|get", "-get"),
        ("+@read", "-@slow", "+@stream", "+acl|whoami", "-mget"),
        ("+@all", "-select", "+select|3", "-@connection", "(+@write -set %R~a)", "#" + "a" * 64),
    ],
)
def test_the_text_leads_to_the_same_user(words: tuple[str, ...]) -> None:
    """Applying a user's description to a new user gives the same permissions and the same description."""
    user = user_of(*words)
    again = user_of(*user.describe().decode().split())
    assert again.describe() == user.describe()
    assert [s.commands for s in again.selectors] == [s.commands for s in user.selectors]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("+nope",), rules.UNKNOWN),
        (("-select|0",), rules.UNKNOWN),
        (("+config|nope",), rules.UNKNOWN),
        (("+@nope",), rules.UNKNOWN),
        (("+get|",), rules.BAD_SYNTAX),
        (("+config|get|x",), rules.NOT_BELOW),
        (("~*", "~a"), rules.AFTER_ALL_KEYS),
        (("&*", "&a"), rules.AFTER_ALL_CHANNELS),
        (("%~a",), rules.BAD_SYNTAX),
        (("%RR~a",), rules.BAD_SYNTAX),
        (("%",), rules.BAD_SYNTAX),
        (("~a b",), rules.BAD_SYNTAX),
        (("&a\0b",), rules.BAD_SYNTAX),
        (("#abc",), rules.BAD_HASH),
        (("!abc",), rules.BAD_HASH),
        (("<nope",), rules.NO_SUCH_PASSWORD),
        (("(>x)",), rules.BAD_SYNTAX),
        (("(on)",), rules.BAD_SYNTAX),
        ((")",), rules.BAD_SYNTAX),
        (('("a)',), rules.BAD_SYNTAX),
    ],
)
def test_what_is_no_rule_is_refused(words: tuple[str, ...], reason: str) -> None:
    """A rule that can't be applied is refused with Redis's reason."""
    with pytest.raises(RuleError) as caught:
        user_of(*words)
    assert str(caught.value) == reason


def test_passwords() -> None:
    """A user has any number of passwords, kept as hashes; nopass takes any, resetpass none."""
    user = user_of("on", ">a", ">b", ">b", "<a")
    assert user.passwords == [rules.hash_of(b"b")]
    assert user.accepts(rules.hash_of(b"b"))
    assert not user.accepts(rules.hash_of(b"a"))
    rules.apply(user, b"nopass")
    assert user.accepts(rules.hash_of(b"a"))
    rules.apply(user, b"off")
    assert not user.accepts(rules.hash_of(b"a"))
    rules.apply(user, b"on")
    rules.apply(user, b"resetpass")
    assert not user.accepts(rules.hash_of(b"a"))


def test_keys_by_what_is_done_to_them() -> None:
    """Reading needs read permission, writing write permission, and one selector must allow all of a request."""
    user = user_of("+@all", "%R~r*", "%W~w*", "~b*")
    assert may(user, "GET", "r1")
    assert not may(user, "GET", "w1")
    assert may(user, "SET", "w1", "x")
    assert not may(user, "SET", "r1", "x")
    assert not may(user, "SET", "w1", "x", "GET")
    assert may(user, "SET", "b1", "x", "GET")
    assert may(user, "COPY", "r1", "w1")
    assert not may(user, "COPY", "w1", "r1")
    assert may(user, "EXISTS", "w1")
    assert not may(user, "MGET", "r1", "x")
    split = user_of("(+get ~a)", "(+set ~b)")
    assert may(split, "GET", "a")
    assert not may(split, "GET", "b")
    assert may(split, "SET", "b", "x")


def test_commands_and_first_arguments() -> None:
    """Commands, subcommands and single first arguments are told apart; what authenticates is always allowed."""
    user = user_of("+select|1", "+config|get", "+client", "-client|kill")
    assert may(user, "SELECT", "1")
    assert not may(user, "SELECT", "2")
    assert may(user, "CONFIG", "GET", "x")
    assert not may(user, "CONFIG", "SET", "x", "y")
    assert may(user, "CLIENT", "ID")
    assert not may(user, "CLIENT", "KILL", "x")
    assert may(user, "AUTH", "x")
    assert may(user, "RESET")


def test_channels() -> None:
    """Channels are matched by patterns; a pattern to subscribe to must be allowed letter by letter."""
    user = user_of("+@all", "&news.*")
    assert may(user, "PUBLISH", "news.a", "x")
    assert not may(user, "PUBLISH", "other", "x")
    assert not may(user, "SUBSCRIBE", "news.a", "other")
    assert may(user, "UNSUBSCRIBE", "other")
    assert may(user, "PSUBSCRIBE", "news.*")
    assert not may(user, "PSUBSCRIBE", "news.a*")
    assert may(user_of("+publish", all_channels=True), "PUBLISH", "x", "y")


def test_the_closest_refusal_is_told() -> None:
    """Of several selectors the one that came closest gives the reason: channels before keys before commands."""
    user = user_of("+get", "~a", "(+mget ~a ~b)")
    line = [b"MGET", b"a", b"b", b"c"]
    assert user.check("mget", FACTS["MGET"], line) == (2, 3)
    assert user.check("set", FACTS["SET"], [b"SET", b"a", b"x"]) == (1, 0)


def test_only_all_of_everything_is_unrestricted() -> None:
    """A user is unrestricted when one selector allows every command, key and channel, those to come included."""
    users = Users(BOOK)
    for words, restricted in (
        (["+@all", "~*", "&*"], False),
        (["+@all", "~*"], True),
        (["+@all", "-get", "~*", "&*"], True),
        (["(+@all ~* &*)"], False),
        (["+@all", "-get", "+get", "~*", "&*"], False),
    ):
        user, _ = users.configure(b"u", [b"reset", *[word.encode() for word in words]])
        assert user.restricted is restricted, words


def test_a_wrong_rule_changes_nothing() -> None:
    """SETUSER applies all of its rules or none, and doesn't create a user with a wrong one."""
    users = Users(BOOK)
    users.configure(b"u", [b"on", b"+get"])
    for words in ([b"+set", b"nope"], [b"(+set"], [b"+set", b"(nope)"]):
        with pytest.raises(RuleError):
            users.configure(b"u", words)
        with pytest.raises(RuleError):
            users.configure(b"new", words)
    assert users.lines() == [b"user default on nopass ~* &* +@all", b"user u on resetchannels -@all +get"]
    with pytest.raises(RuleError, match="Usernames can't contain spaces"):
        users.configure(b"a b", [])


def test_the_short_way_to_keys_is_right() -> None:
    """What is worked out beforehand of commands that treat all keys alike is what each line would give."""
    for name, uses in BOOK.uses.items():
        facts = FACTS[name.upper()]
        for size in range(1, 8):
            line = [b"2"] * size
            found = keyspec.keys_of(facts, line)
            assert [key.position for key in found] == list(keyspec.positions_of(facts, line)), name
            assert {uses_of(key.flags) for key in found} <= {uses}, name
