"""The command catalogue: what each command of Redis 7.0 is, apart from the code that runs it.

Two data files beside this module hold one command per line, keyed by upper-case name, a subcommand being
``CONTAINER|SUBCOMMAND``:

``catalog.json`` (what COMMAND INFO answers) maps a name to a row of eight columns::

    [arity, flags, categories, first key, last key, key step, tips, key specs]

flags, categories (without ``@``) and tips are words separated by blanks. A key spec is a list of three or
four strings: its flags; how the search begins (``index POSITION``, ``keyword WORD START`` or ``unknown``);
which keys follow (``range LAST STEP LIMIT``, ``keynum COUNT_AT FIRST STEP`` or ``unknown``); and a remark.
The numbers mean what Redis's command key specifications mean by them; `keyspec` applies them.

``catalog_docs.json`` (what COMMAND DOCS answers beyond that) maps a name to an object with ``summary``,
``since``, ``group`` and, where they apply, ``complexity``, ``doc_flags``, ``deprecated_since``,
``replaced_by``, ``history`` (pairs of version and change) and ``arguments`` (Redis's argument tree with
Redis's own field names). Only COMMAND DOCS needs it, so it is read on first use.

``catalog_extras.json`` adds commands of later versions: it maps a name to ``{"row": [...], "docs": {...}}``
with the columns and the object above.

Facts (names, numbers, argument trees) are those a Redis 7.0.15 server reports; sentences are ours.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

# The order in which Redis lists flags and categories, which clients may show as they come.
FLAG_ORDER = (
    "write", "readonly", "denyoom", "admin", "pubsub", "noscript", "blocking", "loading",
    "stale", "skip_monitor", "skip_slowlog", "asking", "fast", "no_auth", "no_mandatory_keys",
    "no_async_loading", "no_multi", "movablekeys", "allow_busy",
)
CATEGORY_ORDER = (
    "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap",
    "hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous",
    "connection", "transaction", "scripting",
)

# Two traits that the server acts upon and COMMAND does not show: commands that may send effects to replicas
# although they are not flagged as writes (CLIENT PAUSE WRITE holds them back), and commands that an option
# guards (enable-debug-command, enable-module-command).
MAY_REPLICATE = frozenset({"PFCOUNT", "EVAL", "EVALSHA", "FCALL", "PUBLISH", "SPUBLISH"})
PROTECTED = frozenset({"DEBUG", "MODULE"})
LATER_ARITY = {"ZRANK": -3, "ZREVRANK": -3}
"""What commands of Redis 7.0 accept since a later version: WITHSCORE (7.2). COMMAND tells 7.0's arity."""


@dataclass(frozen=True, slots=True)
class BeginIndex:
    """Keys begin at a fixed position; 0 is the command's name."""

    index: int


@dataclass(frozen=True, slots=True)
class BeginKeyword:
    """Keys begin after a word, sought from `start_from`; a negative start counts from the end, backwards."""

    keyword: str
    start_from: int


@dataclass(frozen=True, slots=True)
class FindRange:
    """Every `step`-th argument up to `last`, relative to the first key.

    A negative `last` counts from the end of the arguments; when it is -1, a `limit` above 1 keeps only the
    first 1/`limit` of what remains.
    """

    last: int
    step: int
    limit: int


@dataclass(frozen=True, slots=True)
class FindKeynum:
    """A count of keys at `count_at`, the keys from `first`, both relative to where the search began."""

    count_at: int
    first: int
    step: int


@dataclass(frozen=True, slots=True)
class KeySpec:
    """Where some of a command's keys are, and what happens to them. None stands for "unknown"."""

    flags: tuple[str, ...]
    begin: BeginIndex | BeginKeyword | None
    find: FindRange | FindKeynum | None
    notes: str


@dataclass(frozen=True, slots=True)
class CommandFacts:
    """One command or subcommand as COMMAND INFO describes it. Arity is negative when it is a minimum."""

    name: str
    arity: int
    flags: frozenset[str]
    categories: frozenset[str]
    first_key: int
    last_key: int
    step: int
    tips: tuple[str, ...]
    key_specs: tuple[KeySpec, ...]
    subcommands: tuple[str, ...]

    @property
    def container(self) -> str:
        """The name of the command this is a subcommand of, or the empty string."""
        return self.name.partition("|")[0] if "|" in self.name else ""


@dataclass(frozen=True, slots=True)
class CommandDocs:
    """One command or subcommand as COMMAND DOCS describes it; absent texts are empty."""

    summary: str
    since: str
    group: str
    complexity: str
    doc_flags: tuple[str, ...]
    deprecated_since: str
    replaced_by: str
    history: tuple[tuple[str, str], ...]
    arguments: list[dict[str, Any]]


def _read(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(files(__package__).joinpath(name).read_bytes())
    return data


def _begin(text: str) -> BeginIndex | BeginKeyword | None:
    kind, *rest = text.split()
    if kind == "index":
        return BeginIndex(int(rest[0]))
    return BeginKeyword(rest[0], int(rest[1])) if kind == "keyword" else None


def _find(text: str) -> FindRange | FindKeynum | None:
    kind, *rest = text.split()
    if kind == "unknown":
        return None
    a, b, c = map(int, rest)
    return FindRange(a, b, c) if kind == "range" else FindKeynum(a, b, c)


def _key_spec(flags: str, begin: str, find: str, notes: str = "") -> KeySpec:
    return KeySpec(tuple(flags.split()), _begin(begin), _find(find), notes)


def _facts(name: str, row: list[Any], subcommands: Iterable[str]) -> CommandFacts:
    arity, flags, categories, first, last, step, tips, specs = row
    return CommandFacts(
        name=name,
        arity=arity,
        flags=frozenset(flags.split()),
        categories=frozenset(categories.split()),
        first_key=first,
        last_key=last,
        step=step,
        tips=tuple(tips.split()),
        key_specs=tuple(_key_spec(*spec) for spec in specs),
        subcommands=tuple(subcommands),
    )


@cache
def load() -> dict[str, CommandFacts]:
    """Every command and subcommand by upper-case name ("GET", "CONFIG|GET"). Read once; not to be changed."""
    rows = _read("catalog.json")
    rows.update((name, extra["row"]) for name, extra in _read("catalog_extras.json").items())
    children: dict[str, list[str]] = {}
    for name in rows:
        if "|" in name:
            children.setdefault(name.partition("|")[0], []).append(name)
    return {name: _facts(name, row, children.get(name, ())) for name, row in rows.items()}


@cache
def later() -> frozenset[str]:
    """The commands and subcommands that Redis 7.0 doesn't have."""
    return frozenset(_read("catalog_extras.json"))


@cache
def docs() -> dict[str, CommandDocs]:
    """The documentation of every command and subcommand, keyed as `load` is. Read once; not to be changed."""
    entries = _read("catalog_docs.json")
    entries.update((name, extra["docs"]) for name, extra in _read("catalog_extras.json").items())
    return {
        name: CommandDocs(
            summary=entry["summary"],
            since=entry["since"],
            group=entry["group"],
            complexity=entry.get("complexity", ""),
            doc_flags=tuple(entry.get("doc_flags", "").split()),
            deprecated_since=entry.get("deprecated_since", ""),
            replaced_by=entry.get("replaced_by", ""),
            history=tuple((version, change) for version, change in entry.get("history", ())),
            arguments=entry.get("arguments", []),
        )
        for name, entry in entries.items()
    }
