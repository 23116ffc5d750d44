"""Which arguments of a command line are keys, and what the command does with each.

COMMAND GETKEYS, access control and client-side caching ask this question. Redis answers it in two steps, and
so do we, because clients see the difference:

1. The command's key specs are applied in order; one whose keyword is missing finds nothing. One that cannot
   be applied (its count of keys is no number or exceeds the arguments, it is marked incomplete, or it is
   "unknown") makes the whole step fail. A command whose specs have variable flags (SET, BITFIELD) skips it.
2. A procedure made for the command, if it has one, decides. It is more lenient with counts and reports no
   flags for them, as Redis does.

A malformed command line has no keys; it is for the command itself to refuse it. Everything here is pure, and
arguments are the whole command line: position 0 is the command's name, and a subcommand stands at position 1.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kvserver.engine.command_table.catalog import BeginIndex, BeginKeyword, CommandFacts, FindKeynum, FindRange, KeySpec


class Key(NamedTuple):
    """The position of a key among the arguments, and the flags of its use (``RO``, ``access``, ...)."""

    position: int
    flags: tuple[str, ...]


Args = Sequence[bytes]
Procedure = Callable[[CommandFacts, Args], list[Key]]

_INTEGER = re.compile(rb"-?[1-9][0-9]{0,17}|0")
_LENIENT_INTEGER = re.compile(rb"\s*[+-]?[0-9]{1,18}")
_READ = ("RO", "access")
_CHANGE = ("RW", "access", "update")
_OVERWRITE = ("OW", "update")


def has_keys(facts: CommandFacts) -> bool:
    """Whether the command can have keys at all (shard channels have key specs, yet are no keys)."""
    return any("not_key" not in spec.flags for spec in facts.key_specs)


def keys_of(facts: CommandFacts, args: Args) -> list[Key]:
    """The keys of a command line, in Redis's order; none when the line is malformed."""
    if facts.name not in _VARIABLE_FLAGS:
        keys = _apply_specs(facts, args)
        if keys is not None:
            return keys
    procedure = _PROCEDURES.get(facts.name, _counted_keys)
    return procedure(facts, args)


def fixed_use(facts: CommandFacts) -> tuple[str, ...] | None:
    """The flags of every key of a command, if they are the same in each line and `positions_of` finds all keys."""
    if len(facts.key_specs) != 1 or not facts.first_key or facts.name in _VARIABLE_FLAGS:
        return None
    spec = facts.key_specs[0]
    fixed = isinstance(spec.find, FindRange) and not {"not_key", "incomplete"} & set(spec.flags)
    return spec.flags if fixed else None


def positions_of(facts: CommandFacts, args: Args) -> Sequence[int]:
    """The positions of the keys of a command line: what `keys_of` finds, without the flags and faster."""
    if facts.first_key and len(facts.key_specs) == 1:
        spec = facts.key_specs[0]
        find = spec.find
        if isinstance(find, FindRange) and "not_key" not in spec.flags:
            last = facts.first_key + find.last if find.last >= 0 else len(args) + find.last
            return range(facts.first_key, last + 1, find.step) if last < len(args) else ()
    return [key.position for key in keys_of(facts, args)]


def _apply_specs(facts: CommandFacts, args: Args) -> list[Key] | None:
    """Step one: the keys that the specs describe, or None when one of them cannot be applied."""
    keys: list[Key] = []
    for spec in facts.key_specs:
        if "not_key" in spec.flags:
            continue
        positions = _positions(spec, args)
        if positions is None or (positions and "incomplete" in spec.flags):
            return None
        keys += [Key(position, spec.flags) for position in positions]
    return keys


def _positions(spec: KeySpec, args: Args) -> range | None:
    if spec.begin is None or spec.find is None:
        return None
    first = _begin(spec.begin, args)
    if not first:
        return range(0)
    if isinstance(spec.find, FindRange):
        last = _range_last(spec.find, first, len(args))
    else:
        count_at = first + spec.find.count_at
        if count_at >= len(args) or not _INTEGER.fullmatch(args[count_at]):
            return None
        first += spec.find.first
        last = first + (int(args[count_at]) - 1) * spec.find.step
    if not first <= last < len(args):
        return None
    return range(first, last + 1, spec.find.step)


def _begin(begin: BeginIndex | BeginKeyword, args: Args) -> int:
    """The position where a spec's search begins; 0 when its keyword is missing."""
    if isinstance(begin, BeginIndex):
        return begin.index
    if begin.start_from >= 0:
        places = range(begin.start_from, len(args) - 1)
    else:
        places = range(len(args) + begin.start_from, 1, -1)
    word = begin.keyword.encode()
    return next((place + 1 for place in places if args[place].upper() == word), 0)


def _range_last(find: FindRange, first: int, argc: int) -> int:
    if find.last >= 0:
        return first + find.last
    if find.limit:
        return first + (argc - first) // find.limit + find.last
    return argc + find.last


def _counted_keys(facts: CommandFacts, args: Args) -> list[Key]:
    """EVAL, ZUNION, LMPOP and their like: a count, then the keys, after the key that is stored into."""
    for spec in facts.key_specs:
        if isinstance(spec.find, FindKeynum) and isinstance(spec.begin, BeginIndex):
            start = spec.begin.index
            match = _LENIENT_INTEGER.match(args[start]) if start < len(args) else None
            count = int(match.group()) if match else 0
            if not 1 <= count <= len(args) - start - 1:
                return []
            stored = [Key(1, ())] if facts.first_key == 1 else []
            return [*(Key(start + 1 + i, ()) for i in range(count)), *stored]
    return []


def _sort(facts: CommandFacts, args: Args) -> list[Key]:
    """SORT: the sorted key, and that of the last STORE. Keys that BY and GET derive are not in the line."""
    keys = [Key(1, _READ)]
    values = {b"LIMIT": 2, b"GET": 1, b"BY": 1}
    i = 2
    while i < len(args):
        word = args[i].upper()
        if word == b"STORE" and i + 1 < len(args):
            keys[1:] = [Key(i + 1, _OVERWRITE)]
        i += 1 + values.get(word, 0)
    return keys


def _sort_ro(facts: CommandFacts, args: Args) -> list[Key]:
    return [Key(1, _READ)]


def _migrate(facts: CommandFacts, args: Args) -> list[Key]:
    """MIGRATE: the third argument, or all that follow KEYS if that is empty; both at once are an error."""
    flags = ("RW", "access", "delete")
    values = {b"AUTH": 1, b"AUTH2": 2}
    i = 6
    while i < len(args):
        word = args[i].upper()
        if word == b"KEYS":
            return [] if args[3] else [Key(place, flags) for place in range(i + 1, len(args))]
        i += 1 + values.get(word, 0)
    return [Key(3, flags)]


def _set(facts: CommandFacts, args: Args) -> list[Key]:
    """SET: GET makes it read as well."""
    reads = any(word.upper() == b"GET" for word in args[3:])
    return [Key(1, _CHANGE if reads else _OVERWRITE)]


def _bitfield(facts: CommandFacts, args: Args) -> list[Key]:
    """BITFIELD: reading as long as every subcommand is a GET."""
    i = 2
    while i < len(args):
        word, rest = args[i].upper(), len(args) - i - 1
        if word == b"GET" and rest >= 2:
            i += 3
        elif word == b"OVERFLOW" and rest >= 1:
            i += 2
        else:
            return [Key(1, _CHANGE)]
    return [Key(1, _READ)]


_VARIABLE_FLAGS = frozenset({"SET", "BITFIELD"})
_PROCEDURES: dict[str, Procedure] = {
    "SORT": _sort,
    "SORT_RO": _sort_ro,
    "MIGRATE": _migrate,
    "SET": _set,
    "BITFIELD": _bitfield,
}
