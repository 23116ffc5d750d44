"""Requests with one thing wrong, made from the catalogue's own description of every command.

Each command's arguments are known as a tree (COMMAND DOCS). From it come plain requests: what is required, and
then with each optional argument in turn. `mistakes` spoils them: too few arguments and too many, and in the place
of each argument what its type makes wrong, extreme or odd.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kvserver.engine.command_table.catalog import CommandFacts, docs, later, load

BINARY = b"\xff\x00\r\n"
PRELUDE = [
    [b"FLUSHALL"],
    [b"SET", b"str", b"10"],
    [b"SET", b"word", b"abc"],
    [b"RPUSH", b"list", b"a", b"b", b"c"],
    [b"SADD", b"set", b"1", b"2", b"3"],
    [b"HSET", b"hash", b"f", b"1", b"a", b"x"],
    [b"ZADD", b"zset", b"1", b"a", b"2", b"b"],
    [b"XADD", b"stream", b"1-1", b"f", b"v"],
    [b"XADD", b"stream", b"2-1", b"f", b"w"],
    [b"XGROUP", b"CREATE", b"stream", b"a", b"0"],
    [b"XREADGROUP", b"GROUP", b"a", b"a", b"COUNT", b"1", b"STREAMS", b"stream", b">"],
    [b"PFADD", b"hll", b"a", b"b"],
    [b"GEOADD", b"geo", b"13.361389", b"38.115556", b"a", b"15.087269", b"37.502669", b"b"],
    [b"RPUSH", b"", b"a"],
    [b"SET", BINARY, b"10"],
]
KEYS = (b"str", b"word", b"list", b"set", b"hash", b"zset", b"stream", b"hll", b"geo", b"none", b"", BINARY)
OF_GROUP = {
    "string": b"str", "bitmap": b"str", "list": b"list", "set": b"set", "hash": b"hash", "sorted-set": b"zset",
    "stream": b"stream", "hyperloglog": b"hll", "geo": b"geo", "generic": b"str",
}  # fmt: skip
NUMBERS = (
    b"", b"x", b"1_0", b" 5", b"+5", b"05", b"1.5", b"0", b"-0", b"-1", b"-2", b"2", b"2147483648", b"-2147483649",
    b"4294967296", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b"1e3", b"5\x00",
    b"99999999999999999999999",
)  # fmt: skip
DECIMALS = (*NUMBERS, b"nan", b"inf", b"-inf", b"1e400", b"1e-400", b"0x10", b"(1", b"infinity", b"- 1")
WORDS = (b"", b"x", b"1", b"*", BINARY, b"-", b"+", b"$", b">", b"[a", b"0-1", b"18446744073709551616", b"1-*")
BAD = {"integer": NUMBERS, "double": DECIMALS, "unix-time": NUMBERS, "key": KEYS}

# Not asked here: what ends or holds the connection or the server, or answers with what is each server's own.
ENDLESS = b"-2147483649"
LEFT_OUT = frozenset(
    b"""ACL|LOAD ACL|SAVE ACL|LOG ACL|GENPASS ACL|GETUSER ACL|LIST ACL|SETUSER ACL|CAT AUTH BGREWRITEAOF BGSAVE
    CLIENT|ID CLIENT|INFO CLIENT|LIST CLIENT|KILL CLIENT|PAUSE CLIENT|REPLY CLIENT|UNPAUSE CLIENT|TRACKING
    COMMAND COMMAND|COUNT COMMAND|DOCS COMMAND|INFO COMMAND|LIST CONFIG|GET CONFIG|SET CONFIG|REWRITE DEBUG FAILOVER
    FLUSHALL FLUSHDB FUNCTION|DUMP FUNCTION|KILL FUNCTION|STATS HELLO INFO LASTSAVE LATENCY|HISTOGRAM LATENCY|GRAPH
    LATENCY|DOCTOR LOLWUT MEMORY|DOCTOR MEMORY|STATS MEMORY|USAGE MEMORY|MALLOC-STATS MEMORY|PURGE MIGRATE
    MODULE|LOAD MODULE|LOADEX MODULE|UNLOAD MONITOR PSUBSCRIBE PSYNC PUBSUB|CHANNELS PUNSUBSCRIBE QUIT
    RANDOMKEY REPLICAOF REPLCONF RESET ROLE SAVE SCRIPT|DEBUG SCRIPT|KILL SELECT SHUTDOWN SLAVEOF SLOWLOG|GET
    SLOWLOG|LEN
    SPUBLISH SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SWAPDB SYNC TIME UNSUBSCRIBE WAIT OBJECT|IDLETIME DUMP MULTI EXEC
    DISCARD PFSELFTEST PFDEBUG WATCH""".decode().split()
)


@dataclass(frozen=True, slots=True)
class Word:
    """One argument of a request, and the type of what it stands for ("" for a word that stands for itself)."""

    text: bytes
    kind: str = ""


def plain_value(argument: dict[str, Any], group: str) -> Word:
    """A value that fits an argument, or comes near."""
    kind, name = argument["type"], argument["name"]
    if kind == "key":
        return Word(OF_GROUP.get(group, b"str"), kind)
    if kind == "unix-time":
        return Word(b"33177117420" if "milli" not in name else b"33177117420000", kind)
    if kind in ("integer", "double"):
        return Word({"cursor": b"0", "version": b"3"}.get(name, b"1"), kind)
    if kind == "pattern":
        return Word(b"*", kind)
    return Word(b"1-1" if "id" in name.lower() or name in ("start", "end") else b"a", kind)


def words_of(argument: dict[str, Any], group: str, chosen: int | None) -> list[Word]:
    """An argument as words; of alternatives the one at `chosen` (modulo their number), or the first."""
    kind = argument["type"]
    token = [Word(argument["token"].encode())] if "token" in argument else []
    if kind == "pure-token":
        return token
    if kind == "oneof":
        options = argument["arguments"]
        return token + words_of(options[(chosen or 0) % len(options)], group, chosen)
    if kind == "block":
        return token + required(argument["arguments"], group, chosen)
    return [*token, plain_value(argument, group)]


def required(arguments: list[dict[str, Any]], group: str, chosen: int | None = None) -> list[Word]:
    """The words of all arguments that aren't optional."""
    return [
        word
        for argument in arguments
        if "optional" not in argument.get("flags", ())
        for word in words_of(argument, group, chosen)
    ]


def with_optional(arguments: list[dict[str, Any]], group: str, wanted: int, chosen: int) -> list[Word]:
    """The required words, and the optional argument number `wanted`."""
    found: list[Word] = []
    for place, argument in enumerate(arguments):
        if place == wanted or "optional" not in argument.get("flags", ()):
            found += words_of(argument, group, chosen)
    return found


def requests(name: str) -> Iterator[list[Word]]:
    """Plain requests of one command."""
    entry = docs()[name]
    head = [Word(word.encode()) for word in name.split("|")]
    arguments = entry.arguments
    yield head + required(arguments, entry.group)
    for place, argument in enumerate(arguments):
        options = len(argument.get("arguments", ())) if argument["type"] == "oneof" else 1
        optional = "optional" in argument.get("flags", ())
        for chosen in range(0 if optional else 1, options):
            yield head + with_optional(arguments, entry.group, place, chosen)


def spoiled(line: list[Word], fixed: int) -> Iterator[list[bytes]]:
    """A request as it is, cut short and drawn out, and with each argument spoiled; `fixed` words name the command."""
    texts = [word.text for word in line]
    yield texts
    for n in range(fixed, len(texts)):
        yield texts[:n]
    yield [*texts, b"x"]
    yield [*texts, b"x", b"y"]
    for place in range(fixed, len(line)):
        for bad in BAD.get(line[place].kind, WORDS):
            if bad != texts[place]:
                yield [*texts[:place], bad, *texts[place + 1 :]]


def commands() -> list[str]:
    """The commands and subcommands that are asked, containers left out."""
    facts: dict[str, CommandFacts] = load()
    return [
        name
        for name, each in facts.items()
        if name not in LEFT_OUT and name not in later() and not each.subcommands and not name.startswith("CLUSTER|")
    ]


def mistakes(name: str) -> list[list[bytes]]:
    """All requests about one command, each once."""
    fixed = len(name.split("|"))
    found = {tuple(line): None for plain in requests(name) for line in spoiled(plain, fixed) if line[-1] != ENDLESS}
    return [list(line) for line in found]
