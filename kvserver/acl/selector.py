"""A selector: one set of permissions. A user has one of its own, and more in parentheses; one that fits is enough.

The text of a selector is canonical, not what was typed: categories are found again from the set of commands, the
one that explains most first, and single commands make up the difference (the method of Redis 7.0).
"""

from __future__ import annotations

from collections.abc import Sequence

from kvserver.acl.book import BOTH, READ, WRITE, CommandBook, uses_of
from kvserver.engine.command_table.catalog import CommandFacts
from kvserver.engine.command_table.keyspec import keys_of, positions_of
from kvserver.wire.glob import Matcher, matcher

DENIED_COMMAND = 1
DENIED_KEY = 2
DENIED_CHANNEL = 4
"""Why a request is refused; of several selectors' reasons the highest is told."""

Denial = tuple[int, int]
"""Why, and which argument (0: the command itself)."""

CHANNELS = {
    "publish": (1, 2, False),
    "spublish": (1, 2, False),
    "subscribe": (1, None, False),
    "ssubscribe": (1, None, False),
    "psubscribe": (1, None, True),
}
"""Which arguments are channels: first, behind the last, and whether they are patterns."""


class Selector:
    """What is allowed; see the module's docstring."""

    def __init__(self, book: CommandBook) -> None:
        """Allow nothing."""
        self.book = book
        self.commands = 0  # bits of the book
        self.future = False  # commands that don't exist yet: the last rule on everything was +@all
        self.first_args: dict[str, list[bytes]] = {}  # of a command that is denied otherwise
        self.all_keys = False
        self.keys: dict[bytes, int] = {}  # pattern -> READ | WRITE
        self.all_channels = False
        self.channels: list[bytes] = []
        self._matchers: dict[bytes, Matcher] = {}  # of key patterns that were asked for

    def copy(self) -> Selector:
        """Return an independent one that allows the same."""
        other = Selector(self.book)
        other.commands, other.future = self.commands, self.future
        other.first_args = {name: list(words) for name, words in self.first_args.items()}
        other.all_keys, other.keys = self.all_keys, dict(self.keys)
        other.all_channels, other.channels = self.all_channels, list(self.channels)
        return other

    def unrestricted(self) -> bool:
        """Whether nothing is ever refused."""
        return self.all_keys and self.all_channels and self.future and self.commands == self.book.everything

    # -- changes ----------------------------------------------------------------------------------------------

    def set_everything(self, allow: bool) -> None:
        """+@all or -@all: also for commands to come."""
        self.commands = self.book.everything if allow else 0
        self.future = allow
        self.first_args.clear()

    def set_commands(self, bits: int, allow: bool) -> None:
        """Allow or deny the commands whose bits are given."""
        self.commands = self.commands | bits if allow else self.commands & ~bits
        for name in [name for name in self.first_args if self.book.bits[name] & bits]:
            del self.first_args[name]

    def allow_first_arg(self, name: str, word: bytes) -> None:
        """Allow a command with one first argument."""
        words = self.first_args.setdefault(name, [])
        if all(word.lower() != other.lower() for other in words):
            words.append(word)

    # -- questions --------------------------------------------------------------------------------------------

    def check(self, name: str, facts: CommandFacts, args: Sequence[bytes]) -> Denial | None:
        """Return why a request is refused, or None."""
        if not self.may_run(name, facts, args):
            return DENIED_COMMAND, 0
        if not self.all_keys and name in self.book.keyed:
            uses = self.book.uses.get(name)
            if uses is not None:
                for position in positions_of(facts, args):
                    if not self._fits(args[position], uses):
                        return DENIED_KEY, position
            else:
                for key in keys_of(facts, args):
                    if not self._fits(args[key.position], uses_of(key.flags)):
                        return DENIED_KEY, key.position
        if not self.all_channels and name in CHANNELS:
            first, behind, is_pattern = CHANNELS[name]
            for position in range(first, len(args) if behind is None else min(behind, len(args))):
                if not channel_allowed(self.channels, args[position], is_pattern):
                    return DENIED_CHANNEL, position
        return None

    def may_run(self, name: str, facts: CommandFacts, args: Sequence[bytes]) -> bool:
        """Whether the command as such is allowed; what a client needs to authenticate always is."""
        if self.commands & self.book.bits.get(name, 0):
            return True
        if "no_auth" in facts.flags:
            return True
        words = self.first_args.get(name)
        return bool(words) and len(args) > 1 and args[1].lower() in [word.lower() for word in words or ()]

    def _fits(self, key: bytes, wanted: int) -> bool:
        """Whether a key may be put to the `wanted` uses."""
        for pattern, uses in self.keys.items():
            if uses & wanted == wanted:
                match = self._matchers.get(pattern)
                if match is None:
                    match = self._matchers[pattern] = matcher(pattern)
                if match(key):
                    return True
        return False

    def reads_every_key(self) -> bool:
        """Whether each key of the server may be read."""
        return self.all_keys or bool(self.keys.get(b"*", 0) & READ)

    # -- text -------------------------------------------------------------------------------------------------

    def key_rules(self) -> bytes:
        """The key patterns as rules."""
        if self.all_keys:
            return b"~*"
        marks = {BOTH: b"~", READ: b"%R~", WRITE: b"%W~"}
        return b" ".join(marks[uses] + pattern for pattern, uses in self.keys.items())

    def channel_rules(self) -> bytes:
        """The channel patterns as rules."""
        return b"&*" if self.all_channels else b" ".join(b"&" + pattern for pattern in self.channels)

    def command_rules(self) -> bytes:
        """Rules that lead to the same commands, from +@all or -@all."""
        words = tuple((name, tuple(words)) for name, words in self.first_args.items())
        return self.book.remembered((self.commands, self.future, words), self._command_rules)

    def _command_rules(self) -> bytes:
        book, additive = self.book, not self.future
        fake = 0 if additive else book.everything
        rules = ["-@all" if additive else "+@all"]
        sign = "+" if additive else "-"
        for category in self._categories(additive):
            reach = book.category_reach[category]
            fake = fake | reach if additive else fake & ~reach
            rules.append(f"{sign}@{category}")
        encoded = [rule.encode() for rule in rules]
        for name, bit in book.bits.items():
            wanted = self.commands & bit
            if wanted != fake & bit:
                fake = fake | book.reach[name] if wanted else fake & ~book.reach[name]
                encoded.append((b"+" if wanted else b"-") + name.encode())
            if not wanted:
                encoded += [b"+%b|%b" % (name.encode(), word) for word in self.first_args.get(name, ())]
        return b" ".join(encoded)

    def _categories(self, additive: bool) -> list[str]:
        """The categories that explain more of the set than they spoil, the best first."""
        book, left = self.book, self.commands
        chosen: list[str] = []
        while True:
            best: tuple[int, int] | None = None
            name = ""
            for category, members in book.categories.items():
                weighed = members & book.weighed
                on = (weighed & left).bit_count()
                off = weighed.bit_count() - on
                same, spoilt = (on, off) if additive else (off, on)
                rank = spoilt, -same
                if category not in chosen and same > spoilt and (best is None or rank < best):
                    best, name = rank, category
            if best is None:
                return chosen
            chosen.append(name)
            reach = book.category_reach[name]
            left = left & ~reach if additive else left | reach

    def describe(self) -> bytes:
        """The selector as rules, in Redis's order: keys, channels, commands."""
        fewer = b"" if self.all_channels else b"resetchannels"
        parts = [self.key_rules(), fewer, self.channel_rules(), self.command_rules()]
        return b" ".join(part for part in parts if part)


def channel_allowed(allowed: Sequence[bytes], channel: bytes, is_pattern: bool) -> bool:
    """Whether a channel fits one of the patterns; a pattern must be one of them, letter by letter."""
    if is_pattern:
        return channel in allowed
    return any(matcher(pattern)(channel) for pattern in allowed)
