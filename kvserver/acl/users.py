"""All users of a server, and how they are read from lines and written to them."""

from __future__ import annotations

from collections.abc import Sequence

from kvserver.acl import rules
from kvserver.acl.book import CommandBook
from kvserver.acl.rules import RuleError
from kvserver.acl.steps import Steps, finish
from kvserver.acl.user import User

DEFAULT = b"default"
ATTEMPTS = 4
"""How often all users are described anew because one of them has changed."""
BAD_NAME = "Usernames can't contain spaces or null characters"
_UNMATCHED = "Unmatched parenthesis in selector definition."
_UNCHANGED = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"


class Users:
    """The users by name. The default user always exists, and is the same object for ever."""

    def __init__(self, book: CommandBook) -> None:
        self.book = book
        self.channels_at_first = False  # acl-pubsub-default: what users created from here on may listen to
        self.version = 0  # of the rules: grows with each change
        self.default = self.first_default()
        self.by_name: dict[bytes, User] = {DEFAULT: self.default}

    def first_default(self) -> User:
        """The default user as it is when nobody configured it: everything is allowed, without a password."""
        user = User(DEFAULT, self.book, self.channels_at_first)
        for rule in (b"+@all", b"~*", b"&*", b"on", b"nopass"):
            rules.apply(user, rule)
        user.restricted = False
        return user

    def get(self, name: bytes) -> User | None:
        """Return the user with this name."""
        return self.by_name.get(name)

    def sorted(self) -> list[User]:
        """All users, by name."""
        return [self.by_name[name] for name in sorted(self.by_name)]

    def configure(self, name: bytes, words: Sequence[bytes]) -> tuple[User, User]:
        """Create or change a user by rules, all of them or none; return it, and what it was before.

        Raises:
            RuleError: the whole text, without a code.
        """
        if rules.has_spaces(name):
            raise RuleError(BAD_NAME)
        try:
            merged = rules.merge_selectors(words)
        except RuleError as unmatched:
            raise RuleError(f"Unmatched parenthesis in acl selector starting at '{unmatched}'.") from None
        user = self.by_name.get(name)
        draft = User(name, self.book, self.channels_at_first) if user is None else user.copy()
        draft.channels_at_first = self.channels_at_first
        for rule in merged:
            try:
                rules.apply(draft, rule)
            except RuleError as failure:
                shown = rule.decode("utf-8", "surrogateescape")
                raise RuleError(f"Error in ACL SETUSER modifier '{shown}': {failure}") from None
        before = draft.copy() if user is None else user.copy()
        if user is None:
            user = self.by_name[name] = draft
        user.become(draft)
        self.version += 1
        return user, before

    def set_default_password(self, password: bytes) -> None:
        """What the option requirepass does: the default user's only password, none when it is empty."""
        self.version += 1
        self.default.forget_passwords()
        if password:
            self.default.add_password(rules.hash_of(password))
        else:
            self.default.need_no_password()

    def delete(self, name: bytes) -> User | None:
        """Remove a user, if it exists; not to be called for the default user."""
        self.version += 1
        return self.by_name.pop(name, None)

    # -- lines ------------------------------------------------------------------------------------------------

    def lines(self) -> list[bytes]:
        """Every user as a line of a file."""
        return finish(self.describing())

    def describing(self) -> Steps[list[bytes]]:
        """The same in steps; when rules change meanwhile it begins anew, and at last lets nobody interrupt."""
        for attempt in range(ATTEMPTS):
            version = self.version
            lines: list[bytes] = []
            for user in self.sorted():
                lines.append(b"user %b %b" % (user.name, user.describe()))
                if attempt < ATTEMPTS - 1:
                    yield
                    if self.version != version:
                        break
            else:
                return lines
        return lines

    def define(self, args: Sequence[bytes], defined: set[bytes]) -> None:
        """Create the user of a configuration line (`args`: name and rules); `defined` collects the names.

        Raises:
            RuleError: the word it is about, a colon, and why.
        """
        name = args[0]
        shown = name.decode("utf-8", "surrogateescape")
        if rules.has_spaces(name):
            raise RuleError(f"Error in user declaration '{shown}': {rules.BAD_SYNTAX}")
        if name in defined:
            raise RuleError(f"Error in user declaration '{shown}': {rules.DUPLICATE}")
        defined.add(name)
        draft = User(name, self.book, self.channels_at_first)
        try:
            merged = rules.merge_selectors(args[1:])
        except RuleError:
            raise RuleError(_UNMATCHED) from None
        for rule in merged:
            try:
                rules.apply(draft, rule)
            except RuleError as failure:
                word = rule.decode("utf-8", "surrogateescape")
                raise RuleError(f"Error in user declaration '{word}': {failure}") from None
        self.by_name.setdefault(name, draft).become(draft)

    def load(self, text: bytes, source: str) -> list[User]:
        """Put the users of a file in place of all there are; return those that ceased to be (default stays).

        Raises:
            RuleError: what is wrong in each line; nothing has changed then.
        """
        return finish(self.loading(text, source))

    def loading(self, text: bytes, source: str) -> Steps[list[User]]:
        """The same in steps, of which only the last one changes anything."""
        fresh: dict[bytes, User] = {}
        problems: list[str] = []
        for number, line in enumerate(text.split(b"\n"), 1):
            problem = self._load_line(line.strip(b" \t\r\n"), fresh)
            if problem:
                problems.append(_placed(problem, source, number))
            yield
        if problems:
            raise RuleError("".join([*problems, _UNCHANGED]))
        gone = [user for user in self.by_name.values() if user is not self.default]
        self.default.become(fresh.pop(DEFAULT) if DEFAULT in fresh else self.first_default())
        self.by_name = {DEFAULT: self.default, **fresh}
        self.version += 1
        return gone

    def _load_line(self, line: bytes, fresh: dict[bytes, User]) -> str:
        """Take one line of a file; return what is wrong with it, PLACE standing for where it is."""
        if not line:
            return ""
        args = line.split(b" ")
        if len(args) < 2 or args[0] != b"user":
            return "PLACE should start with user keyword followed by the username. "
        name = args[1]
        shown = name.decode("utf-8", "surrogateescape")
        if rules.has_spaces(name):
            return f"PLACE: username '{shown}' contains invalid characters. "
        if name in fresh:
            return f"WARNING: Duplicate user '{shown}' found on line LINE. "
        user = fresh[name] = User(name, self.book, self.channels_at_first)
        try:
            merged = rules.merge_selectors(args[2:])
        except RuleError:
            return f"PLACE: {_UNMATCHED}"
        for rule in merged:
            try:
                rules.apply(user, rule)
            except RuleError as failure:
                shown = rule.decode("utf-8", "surrogateescape")
                about = f"Error in applying operation '{shown}': " if str(failure) == rules.UNKNOWN else ""
                return f"PLACE: {about}{failure}. "
        user.become(user.copy())
        return ""


def _placed(problem: str, source: str, number: int) -> str:
    """Say where a problem is."""
    if problem.startswith("PLACE"):
        return f"{source}:{number}{problem.removeprefix('PLACE')}"
    return problem.replace("on line LINE", f"on line {number}")
