"""The `sentinel ...` statements of a configuration file: reading them into a world, and writing it down.

Statements are those of the table, in any order; texts of errors are Redis's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from kvserver.config.quoting import quote as in_quotes
from replication.sentinel.options.kinds import DirectiveError
from replication.sentinel.options.table import (
    GROUP,
    GROUP_BY_NAME,
    OURS,
    OURS_AFTER_GROUPS,
    OURS_BY_NAME,
    Option,
    Statement,
    Words,
    add_group,
)
from replication.sentinel.world.address import BadAddress
from replication.sentinel.world.group import Primary
from replication.sentinel.world.world import DuplicateInstance, World

NO_GROUP = "No such master with specified name."
UNKNOWN = "Unrecognized sentinel configuration statement."
MONITOR = "monitor"
_WITH_HOST = frozenset(("monitor", "known-replica", "known-slave", "known-sentinel"))

IsExecutable = Callable[[str], bool]
"""Whether a path is a program that can be run."""


def order(words: list[str]) -> int:
    """The rank in which a statement must be applied: about us, then groups, then about groups."""
    name = words[0].lower()
    return 0 if name in OURS_BY_NAME else 1 if name == MONITOR else 2


def host_in(words: list[str]) -> str | None:
    """The host that a statement names, if it is of those that name one."""
    return words[2] if words[0].lower() in _WITH_HOST and len(words) > 2 else None


def apply_directive(world: World, words: list[str], now: int, is_executable: IsExecutable) -> None:
    """Apply one statement, without its leading `sentinel`. Raises DirectiveError with Redis's text."""
    name, args = words[0].lower(), words[1:]
    try:
        if name in OURS_BY_NAME and len(args) == 1:
            option = OURS_BY_NAME[name]
            option.apply(world, world, option.kind.read(args[0], name))
        elif name == MONITOR and len(args) == 4:
            add_group(world, tuple(args), now)
        elif name in GROUP_BY_NAME and name != MONITOR and args:
            _apply_to_group(world, GROUP_BY_NAME[name], args[0], tuple(args[1:]), now, is_executable)
        else:
            raise DirectiveError(UNKNOWN)
    except (BadAddress, DuplicateInstance) as error:
        raise DirectiveError(str(error)) from None


def _apply_to_group(
    world: World, row: Option | Statement, group_name: str, values: Words, now: int, is_executable: IsExecutable,
) -> None:
    arity = row.arity if isinstance(row, Statement) else (1,) if row.in_file else ()
    if len(values) not in arity:
        raise DirectiveError(UNKNOWN)
    group = world.groups.get(group_name)
    if group is None:
        raise DirectiveError(NO_GROUP)
    if isinstance(row, Statement):
        row.read(world, group, values, now)
        return
    if row.program and not is_executable(values[0]):
        raise DirectiveError(f"{row.program} seems non existing or non executable.")
    row.apply(group, world, row.kind.read(values[0], row.name))


def load(statements: list[list[str]], my_id: str, now: int,
         is_executable: IsExecutable = lambda path: True, names: Mapping[str, str] | None = None) -> World:
    """A world from statements in any order (a plain way in for simulations and tests).

    `names` tells the addresses of host names, as if they had been looked up. Raises DirectiveError.
    """
    world = World(my_id, names=dict(names or {}))
    for words in sorted(statements, key=order):
        apply_directive(world, words, now, is_executable)
    return world


def quote(text: str) -> str:
    """A word as a configuration file can hold it: quoted if it is empty or has blanks, quotes or controls."""
    if text and all(ch.isprintable() and not ch.isspace() and ch not in "\"'\\#" for ch in text):
        return text
    return in_quotes(text)


def render(world: World) -> tuple[str, ...]:
    """Every statement needed to be this sentinel again, each without newline, in a stable order."""
    return tuple("sentinel " + " ".join(map(quote, words)) for words in _statements(world))


def _statements(world: World) -> Iterator[Words]:
    yield from _values(world, world, OURS)
    for group in world.groups.values():
        for row in GROUP:
            if isinstance(row, Statement):
                for values in row.write(world, group):
                    yield row.name, group.name, *values
            elif row.in_file:
                for name, value in _values(world, group, (row,)):
                    yield name, group.name, value
    yield from _values(world, world, OURS_AFTER_GROUPS)


def _values(world: World, owner: World | Primary, options: tuple[Option, ...]) -> Iterator[tuple[str, str]]:
    """Name and value of each of these options that isn't at its default, or is always written."""
    for option in options:
        if option.always or getattr(owner, option.attribute) != option.default(owner, world):
            yield option.name, option.show(owner)
