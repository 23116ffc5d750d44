"""A user: whether it may log in, with which passwords, and its selectors."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any

from kvserver.acl.book import CommandBook
from kvserver.acl.selector import Denial, Selector
from kvserver.engine.command_table.catalog import CommandFacts


class User:
    """One user; its identity stays while its rules change, so that sessions can hold on to it."""

    def __init__(self, name: bytes, book: CommandBook, all_channels: bool) -> None:
        """Create a disabled user without permissions; `all_channels` says what acl-pubsub-default does."""
        self.name = name
        self.book = book
        self.channels_at_first = all_channels
        self.enabled = False
        self.no_password = False
        self.payload = b""  # "sanitize-payload" or "skip-sanitize-payload" when a rule said so
        self.passwords: list[bytes] = []  # as `rules.hash_of` makes them
        self.selectors = [self.new_selector()]
        self.restricted = True
        self.plans: dict[str, Any] = {}  # by command: why it is allowed (acl/grants.py)

    def new_selector(self) -> Selector:
        """A selector as a new user has it."""
        selector = Selector(self.book)
        selector.all_channels = self.channels_at_first
        return selector

    def copy(self) -> User:
        """An independent user with the same rules."""
        other = User(self.name, self.book, self.channels_at_first)
        other.become(self)
        return other

    def become(self, other: User) -> None:
        """Take over another's rules; the other is not to be used any more, or to be left unchanged."""
        self.channels_at_first = other.channels_at_first
        self.enabled, self.no_password, self.payload = other.enabled, other.no_password, other.payload
        self.passwords = list(other.passwords)
        self.selectors = [selector.copy() for selector in other.selectors]
        self.restricted = not any(selector.unrestricted() for selector in self.selectors)
        self.plans = {}

    # -- rules ------------------------------------------------------------------------------------------------

    def enable(self, on: bool) -> None:
        """Let the user log in, or not."""
        self.enabled = on

    def need_no_password(self) -> None:
        """Any password is right."""
        self.no_password = True
        self.passwords.clear()

    def forget_passwords(self) -> None:
        """No password is right."""
        self.no_password = False
        self.passwords.clear()

    def add_password(self, hashed: bytes) -> None:
        """One more password is right."""
        self.no_password = False
        if hashed not in self.passwords:
            self.passwords.append(hashed)

    def sanitize(self, word: bytes) -> None:
        """Note whether the user's RESTORE payloads are checked in depth (they always are; the rule is kept)."""
        self.payload = word

    def clear_selectors(self) -> None:
        """Keep only the user's own selector."""
        del self.selectors[1:]

    def reset(self) -> None:
        """Back to what a new user is."""
        self.enabled = self.no_password = False
        self.payload = b"sanitize-payload"
        self.passwords.clear()
        self.selectors = [self.new_selector()]

    # -- questions --------------------------------------------------------------------------------------------

    def accepts(self, hashed: bytes) -> bool:
        """Whether the user may log in with the password that has this hash."""
        if not self.enabled:
            return False
        fits = [hmac.compare_digest(hashed, password) for password in self.passwords]
        return self.no_password or any(fits)

    def check(self, name: str, facts: CommandFacts, args: Sequence[bytes]) -> Denial | None:
        """Return why a request is refused (of all selectors' reasons the one that came closest), or None."""
        closest = (0, 0)
        for selector in self.selectors:
            denial = selector.check(name, facts, args)
            if denial is None:
                return None
            closest = max(closest, denial)
        return closest

    def may_read_everything(self, name: str, facts: CommandFacts, args: Sequence[bytes]) -> bool:
        """Whether a request is allowed that reads keys which aren't among its arguments."""
        return any(
            selector.reads_every_key() and selector.check(name, facts, args) is None for selector in self.selectors
        )

    # -- text -------------------------------------------------------------------------------------------------

    def flags(self) -> list[bytes]:
        """The words for the user's state, in Redis's order."""
        words = [b"on" if self.enabled else b"off"]
        if self.no_password:
            words.append(b"nopass")
        if self.payload:
            words.append(self.payload)
        return words

    def describe(self) -> bytes:
        """The user as rules that lead to the same user, without the name."""
        parts = self.flags() + [b"#" + password for password in self.passwords]
        parts.append(self.selectors[0].describe())
        parts += [b"(" + selector.describe() + b")" for selector in self.selectors[1:]]
        return b" ".join(parts)
