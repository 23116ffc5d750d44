"""The language of rules, as ACL SETUSER and the files speak it (https://redis.io/docs/management/security/acl/)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

from kvserver.acl.book import BOTH, READ, WRITE
from kvserver.acl.selector import Selector
from kvserver.acl.user import User
from kvserver.wire.quoting import split_args

UNKNOWN = "Unknown command or category name in ACL"
BAD_SYNTAX = "Syntax error"
AFTER_ALL_KEYS = (
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. "
    "Try 'resetkeys' to start with an empty list of patterns"
)
AFTER_ALL_CHANNELS = (
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. "
    "Try 'resetchannels' to start with an empty list of channels"
)
NO_SUCH_PASSWORD = "The password you are trying to remove from the user does not exist"
BAD_HASH = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
DUPLICATE = "Duplicate user found. A user can only be defined once in config files"
NOT_BELOW = "Allowing first-arg of a subcommand is not supported"

_HASH = re.compile(rb"[0-9a-f]{64}\Z")
_SPACES = re.compile(rb"[\s\0]")
_KEY_USES = re.compile(rb"%([rRwW]{1,2})(?:~(.*))?\Z", re.DOTALL)


class RuleError(ValueError):
    """A rule that can't be applied; the text says why, as Redis does."""


def hash_of(password: bytes) -> bytes:
    """The form in which a password is kept: SHA-256 in lower-case hexadecimal digits."""
    return hashlib.sha256(password).hexdigest().encode()


def has_spaces(text: bytes) -> bool:
    """Whether a name or pattern holds what would break a line of rules: blanks or zero bytes."""
    return _SPACES.search(text) is not None


def merge_selectors(args: Sequence[bytes]) -> list[bytes]:
    """Join the words of each selector in parentheses to one rule.

    Raises:
        RuleError: a parenthesis isn't closed; its text is the word it opens in.
    """
    merged: list[bytes] = []
    opened: list[bytes] = []
    for word in args:
        if opened or (word.startswith(b"(") and not word.endswith(b")")):
            opened.append(word)
            if len(opened) > 1 and word.endswith(b")"):
                merged.append(b" ".join(opened))
                opened = []
        else:
            merged.append(word)
    if opened:
        raise RuleError(opened[0].decode("utf-8", "surrogateescape"))
    return merged


def apply(user: User, rule: bytes) -> None:
    """Apply one rule to a user.

    Raises:
        RuleError: it isn't one, or can't be applied.
    """
    if not rule:
        return
    if rule in user.book.rules:
        apply_to_selector(user.selectors[0], rule)
        return
    action = _USER_WORDS.get(rule.lower())
    if action is not None:
        action(user)
    elif rule[:1] in (b">", b"#", b"<", b"!"):
        _apply_password(user, rule)
    elif rule.startswith(b"(") and rule.endswith(b")"):
        selector = user.new_selector()
        words = split_args(rule[1:-1])
        if words is None:
            raise RuleError(BAD_SYNTAX)
        for word in words:
            apply_to_selector(selector, word)
        user.selectors.append(selector)
    else:
        apply_to_selector(user.selectors[0], rule)


def _apply_password(user: User, rule: bytes) -> None:
    mark, rest = rule[:1], rule[1:]
    if mark in b">#":
        if mark == b"#" and not _HASH.match(rest):
            raise RuleError(BAD_HASH)
        user.add_password(rest if mark == b"#" else hash_of(rest))
        return
    if mark == b"!" and not _HASH.match(rest):
        raise RuleError(BAD_HASH)
    password = rest if mark == b"!" else hash_of(rest)
    if password not in user.passwords:
        raise RuleError(NO_SUCH_PASSWORD)
    user.passwords.remove(password)


def apply_to_selector(selector: Selector, rule: bytes) -> None:
    """Apply one rule about commands, keys or channels.

    Raises:
        RuleError: it isn't one, or can't be applied.
    """
    plain = selector.book.rules.get(rule.lower())
    if plain is not None:
        selector.set_commands(*plain)
        return
    action = _SELECTOR_WORDS.get(rule.lower())
    if action is not None:
        action(selector)
    elif rule[:1] in (b"~", b"%"):
        _add_key_pattern(selector, rule)
    elif rule.startswith(b"&"):
        _add_channel(selector, rule[1:])
    elif rule.startswith(b"+") and b"|" in rule:
        _allow_below(selector, rule[1:])
    elif rule[:1] in (b"+", b"-"):
        raise RuleError(UNKNOWN)
    else:
        raise RuleError(BAD_SYNTAX)


def _allow_below(selector: Selector, rule: bytes) -> None:
    """+command|word, where that is no subcommand: of a command that has none, one first argument."""
    container, _, word = rule.rpartition(b"|")
    book = selector.book
    name = book.find(container)
    if name is None:
        raise RuleError(UNKNOWN)
    if "|" in name:
        raise RuleError(NOT_BELOW)
    if not word:
        raise RuleError(BAD_SYNTAX)
    if name in book.subs:
        raise RuleError(UNKNOWN)
    selector.allow_first_arg(name, word)


def _add_key_pattern(selector: Selector, rule: bytes) -> None:
    if selector.all_keys:
        raise RuleError(AFTER_ALL_KEYS)
    uses, pattern = BOTH, rule[1:]
    if rule.startswith(b"%"):
        match = _KEY_USES.match(rule)
        letters = match.group(1).upper() if match else b"RR"
        if match is None or letters in (b"RR", b"WW"):
            raise RuleError(BAD_SYNTAX)
        uses = (READ if b"R" in letters else 0) | (WRITE if b"W" in letters else 0)
        pattern = match.group(2) or b""
    if has_spaces(pattern):
        raise RuleError(BAD_SYNTAX)
    selector.keys[pattern] = selector.keys.get(pattern, 0) | uses


def _add_channel(selector: Selector, pattern: bytes) -> None:
    if selector.all_channels:
        raise RuleError(AFTER_ALL_CHANNELS)
    if has_spaces(pattern):
        raise RuleError(BAD_SYNTAX)
    if pattern not in selector.channels:
        selector.channels.append(pattern)


def _keys(selector: Selector, everything: bool) -> None:
    selector.all_keys = everything
    selector.keys.clear()


def _channels(selector: Selector, everything: bool) -> None:
    selector.all_channels = everything
    selector.channels.clear()


_SELECTOR_WORDS: dict[bytes, Callable[[Selector], None]] = {
    b"allkeys": lambda selector: _keys(selector, True),
    b"~*": lambda selector: _keys(selector, True),
    b"resetkeys": lambda selector: _keys(selector, False),
    b"allchannels": lambda selector: _channels(selector, True),
    b"&*": lambda selector: _channels(selector, True),
    b"resetchannels": lambda selector: _channels(selector, False),
    b"allcommands": lambda selector: selector.set_everything(True),
    b"+@all": lambda selector: selector.set_everything(True),
    b"nocommands": lambda selector: selector.set_everything(False),
    b"-@all": lambda selector: selector.set_everything(False),
}
_USER_WORDS: dict[bytes, Callable[[User], None]] = {
    b"on": lambda user: user.enable(True),
    b"off": lambda user: user.enable(False),
    b"nopass": User.need_no_password,
    b"resetpass": User.forget_passwords,
    b"sanitize-payload": lambda user: user.sanitize(b"sanitize-payload"),
    b"skip-sanitize-payload": lambda user: user.sanitize(b"skip-sanitize-payload"),
    b"clearselectors": User.clear_selectors,
    b"reset": User.reset,
}
