"""The commands and categories that rules speak of, as sets of bits.

Each command and each subcommand has a bit of an integer; a set of commands is an integer too, so that comparing
what a user may do with a category is a matter of a few machine instructions.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from kvserver.engine.command_table.catalog import CATEGORY_ORDER, CommandFacts, later
from kvserver.engine.command_table.keyspec import fixed_use, has_keys

READ = 1
WRITE = 2
BOTH = READ | WRITE
_USES = {"access": READ, "insert": WRITE, "delete": WRITE, "update": WRITE}
TEXTS_MAX = 1000
"""Texts of sets of commands that are remembered."""


def uses_of(flags: Sequence[str]) -> int:
    """What a key spec's flags say is done to a key: READ, WRITE, both, or (its existence is looked at) neither."""
    wanted = 0
    for flag in flags:
        wanted |= _USES.get(flag, 0)
    return wanted


class CommandBook:
    """What a server can do, by name ("get", "config|get") and by category ("read")."""

    def __init__(self, facts: Iterable[CommandFacts]) -> None:
        """Index the commands of `facts`; the container of a subcommand must be among them."""
        known = {each.name.lower(): each for each in facts}
        self.names = tuple(known)
        self.bits = {name: 1 << i for i, name in enumerate(self.names)}
        self.everything = (1 << len(self.names)) - 1
        self.subs: dict[str, list[str]] = {}
        for name in self.names:
            if "|" in name:
                self.subs.setdefault(name.partition("|")[0], []).append(name)
        # What a rule on a name covers: the command, and the subcommands below it.
        self.reach = {name: bit | self._union(self.subs.get(name, ())) for name, bit in self.bits.items()}
        self.categories = {category: self._members(known, category) for category in CATEGORY_ORDER}
        # By these categories are compared: Redis 7.0's commands, so that a set of them has the text it has there.
        self.weighed = self._union(name for name in self.names if name.upper() not in later())
        self.category_reach = {category: self._reach_of(members) for category, members in self.categories.items()}
        self.rules = self._rules()
        self.keyed = {name for name, each in known.items() if has_keys(each)}
        # Of commands that do the same to each key in every line: what. It saves working it out for each request.
        self.uses = {name: uses_of(flags) for name, each in known.items() if (flags := fixed_use(each)) is not None}
        self._texts: dict[Hashable, bytes] = {}

    def _rules(self) -> dict[bytes, tuple[int, bool]]:
        """What each rule on a command or a category covers, and whether it allows."""
        covered = {**self.reach, **{f"@{category}": reach for category, reach in self.category_reach.items()}}
        return {sign + name.encode(): (bits, sign == b"+") for name, bits in covered.items() for sign in (b"+", b"-")}

    def _union(self, names: Iterable[str]) -> int:
        found = 0
        for name in names:
            found |= self.bits[name]
        return found

    def _members(self, known: dict[str, CommandFacts], category: str) -> int:
        return self._union(name for name, each in known.items() if category in each.categories)

    def _reach_of(self, members: int) -> int:
        """A category that holds a container covers all that is below the container, as in Redis."""
        found = members
        for name in self.subs:
            if members & self.bits[name]:
                found |= self.reach[name]
        return found

    def remembered(self, commands: Hashable, describe: Callable[[], bytes]) -> bytes:
        """Return the text of a set of commands: many users share few of them, and finding it takes a while."""
        text = self._texts.get(commands)
        if text is None:
            if len(self._texts) >= TEXTS_MAX:
                self._texts.clear()
            text = self._texts[commands] = describe()
        return text

    def find(self, word: bytes) -> str | None:
        """Return the name a word of a rule means, in any case, or None."""
        name = word.decode("latin-1").lower()
        return name if name in self.bits else None

    def category(self, word: bytes) -> str | None:
        """Return the category a word means, in any case, or None."""
        name = word.decode("latin-1").lower()
        return name if name in self.categories else None

    def listed(self, members: int) -> list[str]:
        """Return the names whose bits are set."""
        return [name for name, bit in self.bits.items() if members & bit]
