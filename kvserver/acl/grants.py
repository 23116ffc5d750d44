"""What a user may do at once: most requests are allowed for a reason that doesn't change until the rules do.

Theory of operation.  For each command that a user sends, the reason is worked out once, from the first selector that
can give one, and kept as a `Plan`: the command is allowed whatever its arguments are, or it is allowed if the keys at
known places fit one of the patterns.  Patterns that end in their only star are compared as prefixes.  A plan only
ever says yes: where it can't (other selectors, keys that are counted or named by keywords, channels, first
arguments), `User.check` is asked, which also knows why not.  Changed rules come with an empty set of plans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvserver.acl.book import BOTH
from kvserver.acl.selector import CHANNELS, Selector
from kvserver.engine.command_table.catalog import CommandFacts, FindRange
from kvserver.engine.command_table.row import Row
from kvserver.wire.glob import Matcher, is_literal, matcher

if TYPE_CHECKING:
    from kvserver.acl.user import User
    from kvserver.engine.run.session import Session


class Plan:
    """Why a request is allowed: `always`, or by its keys from `first` to `last` (negative: from the end)."""

    def __init__(self, always: bool, first: int = 0, last: int = 0, step: int = 1) -> None:
        self.always = always
        self.first = first  # 0: this plan never says yes
        self.last = last
        self.step = step
        self.names: set[bytes] = set()
        self.prefixes: list[bytes] = []
        self.matchers: list[Matcher] = []

    def add(self, pattern: bytes) -> None:
        """Allow keys that match a pattern."""
        if is_literal(pattern):
            self.names.add(pattern)
        elif pattern.endswith(b"*") and is_literal(pattern[:-1]):
            self.prefixes.append(pattern[:-1])
        else:
            self.matchers.append(matcher(pattern))

    def allows(self, args: list[bytes]) -> bool:
        """Whether the plan says yes."""
        if self.always:
            return True
        n = len(args)
        last = self.last if self.last > 0 else n + self.last
        i = self.first
        if i == 0 or last >= n:
            return False
        while i <= last:
            if not self.fits(args[i]):
                return False
            i += self.step
        return True

    def fits(self, key: bytes) -> bool:
        """Whether a key matches one of the patterns."""
        for prefix in self.prefixes:
            if key.startswith(prefix):
                return True
        for match in self.matchers:
            if match(key):
                return True
        return key in self.names


class Gatekeeper:
    """Answers for each request of a user with less than all permissions whether it is allowed."""

    def __init__(self, default: User) -> None:
        self.default = default

    def allows(self, c: Session, row: Row, args: list[bytes]) -> bool:
        """Whether the session's user may do something; nothing is noted."""
        user: Any = c.acl
        if user is None:
            user = self.default
        plans: dict[str, Plan] = user.plans
        plan = plans.get(row.name)
        if plan is None:
            plan = plans[row.name] = plan_of(user, row.name, row.facts)
        return plan.allows(args) or user.check(row.name, row.facts, args) is None


def plan_of(user: User, name: str, facts: CommandFacts) -> Plan:
    """Work out the plan for one command."""
    best = Plan(False)
    for selector in user.selectors:
        plan = _of_selector(selector, name, facts)
        if plan.always:
            return plan
        if not best.first:
            best = plan
    return best


def _of_selector(selector: Selector, name: str, facts: CommandFacts) -> Plan:
    book = selector.book
    allowed = selector.commands & book.bits.get(name, 0) or "no_auth" in facts.flags
    if not allowed or (name in CHANNELS and not selector.all_channels):
        return Plan(False)
    if selector.all_keys or name not in book.keyed:
        return Plan(True)
    find = facts.key_specs[0].find
    uses = book.uses.get(name)
    if name in ("set", "bitfield"):
        uses = BOTH  # the most that any of their options needs
    if uses is None or not isinstance(find, FindRange):
        return Plan(False)
    last = facts.first_key + find.last if find.last >= 0 else find.last
    plan = Plan(False, facts.first_key, last, find.step)
    for pattern, granted in selector.keys.items():
        if granted & uses == uses:
            plan.add(pattern)
    return plan
