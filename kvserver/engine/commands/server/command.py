"""COMMAND and its subcommands: what the server says about its own commands.

Only commands that the server runs are described, whatever the catalogue knows. Replies of a row are encoded
once and kept: they never change, and a full COMMAND is a hundred kilobytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from kvserver.engine.command_table.catalog import (
    CATEGORY_ORDER,
    FLAG_ORDER,
    BeginIndex,
    BeginKeyword,
    CommandDocs,
    CommandFacts,
    FindKeynum,
    FindRange,
    KeySpec,
    docs,
)
from kvserver.engine.command_table.keyspec import Key, has_keys, keys_of
from kvserver.engine.command_table.naming import find, resolve
from kvserver.engine.command_table.row import Row
from kvserver.engine.run.session import Session
from kvserver.errors import SYNTAX, CommandError
from kvserver.wire.glob import matcher
from kvserver.wire.resp import (
    array,
    array_header,
    bulk,
    bulks,
    integer,
    map_header,
    null_array,
    set_header,
    simple,
)

HELP = (
    "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "(no subcommand)",
    "    Describe every command.",
    "COUNT",
    "    Count the commands.",
    "LIST [FILTERBY (ACLCAT <category>|PATTERN <pattern>|MODULE <name>)]",
    "    List the names of commands and subcommands.",
    "INFO [<command-name> ...]",
    "    Describe the named commands, or every one.",
    "DOCS [<command-name> ...]",
    "    Document the named commands, or every one.",
    "GETKEYS <full-command>",
    "    Find the keys in a command line.",
    "GETKEYSANDFLAGS <full-command>",
    "    Find the keys in a command line, and how each is used.",
    "HELP",
    "    Print this help.",
)


def command(c: Session, a: list[bytes]) -> bytes:
    """COMMAND: every command as COMMAND INFO describes it."""
    return array([_info(row, c.resp) for row in _rows(c)])


def count(c: Session, a: list[bytes]) -> bytes:
    """COMMAND COUNT, without subcommands."""
    return integer(len(_rows(c)))


def info(c: Session, a: list[bytes]) -> bytes:
    """COMMAND INFO [name ...]: null for a name that is none; subcommands are named "container|sub"."""
    if len(a) == 2:
        return command(c, a)
    rows = [_named(c, name) for name in a[2:]]
    return array([_info(row, c.resp) if row else null_array(c.resp) for row in rows])


def documentation(c: Session, a: list[bytes]) -> bytes:
    """COMMAND DOCS [name ...]: names that are none are left out."""
    rows = [row for row in (_named(c, name) for name in a[2:]) if row] if len(a) > 2 else _rows(c)
    return map_header(len(rows), c.resp) + b"".join(_docs(row, c.resp) for row in rows)


def list_(c: Session, a: list[bytes]) -> bytes:
    """COMMAND LIST [FILTERBY kind value]: names, subcommands included."""
    accept: Callable[[Row], object] = _every
    if len(a) > 2:
        if len(a) != 5 or a[2].upper() != b"FILTERBY":
            raise CommandError(SYNTAX)
        accept = _filter(a[3].upper(), a[4])
    return bulks([row.name.encode() for row in _with_subs(_rows(c)) if accept(row)])


def getkeys(c: Session, a: list[bytes]) -> bytes:
    """COMMAND GETKEYS full-command: its keys."""
    args = a[2:]
    return bulks([args[key.position] for key in _keys(c, args)])


def getkeysandflags(c: Session, a: list[bytes]) -> bytes:
    """COMMAND GETKEYSANDFLAGS full-command: pairs of a key and the flags of its use."""
    args = a[2:]
    return array([array([bulk(args[key.position]), _words(key.flags, c.resp)]) for key in _keys(c, args)])


def help_(c: Session, a: list[bytes]) -> bytes:
    """COMMAND HELP."""
    return array([simple(line) for line in HELP])


def _rows(c: Session) -> list[Row]:
    """The commands, each once, however many spellings of its name the table has."""
    return list(dict.fromkeys(c.engine.rows.values()))


def _with_subs(rows: Iterable[Row]) -> Iterable[Row]:
    for row in rows:
        yield row
        yield from (row.subs or {}).values()


def _named(c: Session, name: bytes) -> Row | None:
    container, bar, sub = name.upper().partition(b"|")
    row: Row | None = c.engine.rows.get(container)
    if row is None or not bar:
        return row
    return (row.subs or {}).get(sub)


def _every(row: Row) -> bool:
    return True


def _filter(kind: bytes, value: bytes) -> Callable[[Row], object]:
    if kind == b"ACLCAT":
        category = value.decode("latin-1").lower()
        return lambda row: category in row.facts.categories
    if kind == b"PATTERN":
        match = matcher(value, ignore_case=True)
        return lambda row: match(row.name.encode())
    if kind == b"MODULE":
        return lambda row: False
    raise CommandError(SYNTAX)


def _keys(c: Session, args: list[bytes]) -> list[Key]:
    row: Row | None = resolve(c.engine.rows, args)
    if row is None:
        raise CommandError("ERR Invalid command specified")
    facts: CommandFacts = row.facts
    if not has_keys(facts):
        raise CommandError("ERR The command has no key arguments")
    if find(c.engine.rows, args) is None:
        raise CommandError("ERR Invalid number of arguments specified for command")
    keys = keys_of(facts, args)
    if not keys and "no_mandatory_keys" not in facts.flags:
        raise CommandError("ERR Invalid arguments specified for command")
    return keys


@lru_cache(maxsize=1024)
def _info(row: Row, proto: int) -> bytes:
    """One command's ten columns."""
    facts: CommandFacts = row.facts
    flags = [flag for flag in FLAG_ORDER if flag in facts.flags]
    categories = [f"@{category}" for category in CATEGORY_ORDER if category in facts.categories]
    specs = [_key_spec(spec, proto) for spec in facts.key_specs]
    subs = [_info(sub, proto) for sub in (row.subs or {}).values()]
    columns = [bulk(row.name.encode()), integer(facts.arity), _words(flags, proto)]
    columns += [integer(number) for number in (facts.first_key, facts.last_key, facts.step)]
    columns += [_words(categories, proto), set_header(len(facts.tips), proto)]
    columns += [bulk(tip.encode()) for tip in facts.tips]
    columns += [set_header(len(specs), proto), *specs, set_header(0, proto) if not subs else array(subs)]
    return array_header(10) + b"".join(columns)


def _key_spec(spec: KeySpec, proto: int) -> bytes:
    fields: dict[str, bytes] = {"notes": _text(spec.notes)} if spec.notes else {}
    fields["flags"] = _words(spec.flags, proto)
    fields["begin_search"] = _step(_begin_fields(spec.begin), proto)
    fields["find_keys"] = _step(_find_fields(spec.find), proto)
    return _map(fields, proto)


Fields = tuple[str, dict[str, str | int]]


def _begin_fields(begin: BeginIndex | BeginKeyword | None) -> Fields:
    if isinstance(begin, BeginIndex):
        return "index", {"index": begin.index}
    if isinstance(begin, BeginKeyword):
        return "keyword", {"keyword": begin.keyword, "startfrom": begin.start_from}
    return "unknown", {}


def _find_fields(find: FindRange | FindKeynum | None) -> Fields:
    if isinstance(find, FindRange):
        return "range", {"lastkey": find.last, "keystep": find.step, "limit": find.limit}
    if isinstance(find, FindKeynum):
        return "keynum", {"keynumidx": find.count_at, "firstkey": find.first, "keystep": find.step}
    return "unknown", {}


def _step(step: Fields, proto: int) -> bytes:
    kind, fields = step
    spec = _map({name: _value(value) for name, value in fields.items()}, proto)
    return _map({"type": _text(kind), "spec": spec}, proto)


@lru_cache(maxsize=1024)
def _docs(row: Row, proto: int) -> bytes:
    """One command's name and its documentation; a command of ours that Redis doesn't have has none."""
    entry: CommandDocs | None = docs().get(row.facts.name)
    fields: dict[str, bytes] = {}
    if entry is not None:
        texts = ("summary", "since", "group", "complexity")
        fields = {name: _text(getattr(entry, name)) for name in texts if getattr(entry, name)}
        if entry.doc_flags:
            fields["doc_flags"] = _words(entry.doc_flags, proto)
        for name in ("deprecated_since", "replaced_by"):
            if getattr(entry, name):
                fields[name] = _text(getattr(entry, name))
        if entry.history:
            changes = [array([_text(version), _text(change)]) for version, change in entry.history]
            fields["history"] = set_header(len(changes), proto) + b"".join(changes)
        if entry.arguments:
            fields["arguments"] = _arguments(entry.arguments, proto)
    if row.subs:
        subs = b"".join(_docs(sub, proto) for sub in row.subs.values())
        fields["subcommands"] = map_header(len(row.subs), proto) + subs
    return bulk(row.name.encode()) + _map(fields, proto)


def _arguments(arguments: list[dict[str, Any]], proto: int) -> bytes:
    return array([_map({key: _argument(key, arg[key], proto) for key in arg}, proto) for arg in arguments])


def _argument(key: str, value: Any, proto: int) -> bytes:
    if key == "arguments":
        return _arguments(value, proto)
    return _words(value, proto) if key == "flags" else _value(value)


def _map(fields: dict[str, bytes], proto: int) -> bytes:
    return map_header(len(fields), proto) + b"".join(_text(name) + value for name, value in fields.items())


def _words(words: Iterable[str], proto: int) -> bytes:
    encoded = [simple(word) for word in words]
    return set_header(len(encoded), proto) + b"".join(encoded)


def _value(value: str | int) -> bytes:
    return integer(value) if isinstance(value, int) else _text(value)


def _text(text: str) -> bytes:
    return bulk(text.encode())


HANDLERS = {
    "COMMAND": command,
    "COMMAND|COUNT": count,
    "COMMAND|DOCS": documentation,
    "COMMAND|GETKEYS": getkeys,
    "COMMAND|GETKEYSANDFLAGS": getkeysandflags,
    "COMMAND|HELP": help_,
    "COMMAND|INFO": info,
    "COMMAND|LIST": list_,
}
