"""The command catalogue against the server whose facts it states."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.connection import Connection
from support import start_redis

from kvserver.engine.command_table import catalog
from kvserver.engine.command_table.keyspec import has_keys, keys_of, positions_of

WORDS = (
    b"STORE,StoreDist,streams,STREAMS,keys,KEYS,0,1,2,3,-1,+1,01, 1,,k1,k2,get,GET,by,limit,auth,AUTH2"
    b",overflow,incrby,set,copy"
).split(b",")


@pytest.fixture(scope="module")
def peer() -> Iterator[Connection]:
    with start_redis() as server:
        connection = Connection(port=server.port, protocol=3)
        connection.connect()
        yield connection
        connection.disconnect()


def ask(peer: Connection, *args: bytes | str) -> Any:
    peer.send_command(*args)
    try:
        return peer.read_response()
    except redis.ResponseError as error:
        return error


def text(value: Any) -> Any:
    """A reply with its byte strings decoded."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {text(key): text(item) for key, item in value.items()}
    return [text(item) for item in value] if isinstance(value, (list, set)) else value


def described(rows: list[Any]) -> Iterator[list[Any]]:
    for row in rows:
        yield row
        yield from described(row[9])


def spec_of(reply: dict[str, Any]) -> tuple[Any, ...]:
    """A key spec as COMMAND INFO answers it, in the catalogue's terms."""
    begin, find = reply["begin_search"], reply["find_keys"]
    start = tuple(begin["spec"].values()) or None
    rest = tuple(find["spec"].values()) or None
    return set(reply["flags"]), start, find["type"] == "range", rest, "notes" in reply


def spec_ours(spec: catalog.KeySpec) -> tuple[Any, ...]:
    def fields(part: Any) -> tuple[Any, ...] | None:
        return None if part is None else tuple(getattr(part, name) for name in part.__slots__)

    is_range = isinstance(spec.find, catalog.FindRange)
    return set(spec.flags), fields(spec.begin), is_range, fields(spec.find), bool(spec.notes)


def test_facts_equal_those_of_a_real_server(peer: Connection) -> None:
    """Arity, flags, categories, key positions, tips, key specs and subcommands are Redis's own."""
    facts = catalog.load()
    rows = {row[0].upper(): row for row in described(text(ask(peer, "COMMAND")))}
    assert rows.keys() <= facts.keys()
    for name, row in rows.items():
        ours = facts[name]
        assert ours.arity == row[1], name
        assert ours.flags == set(row[2]), name
        assert [ours.first_key, ours.last_key, ours.step] == row[3:6], name
        assert {f"@{category}" for category in ours.categories} == set(row[6]), name
        assert list(ours.tips) == row[7], name
        assert [spec_ours(spec) for spec in ours.key_specs] == [spec_of(spec) for spec in row[8]], name
        assert set(ours.subcommands) >= {sub[0].upper() for sub in row[9]}, name


def test_documentation_states_the_same_facts(peer: Connection) -> None:
    """Everything but the sentences is Redis's own."""
    docs = catalog.docs()
    reply = text(ask(peer, "COMMAND", "DOCS"))
    for entry in list(reply.values()):
        reply.update(entry.get("subcommands", {}))
    for name, entry in reply.items():
        ours = docs[name.upper()]
        assert (ours.since, ours.group) == (entry["since"], entry["group"]), name
        assert list(ours.doc_flags) == entry.get("doc_flags", []), name
        assert ours.deprecated_since == entry.get("deprecated_since", ""), name
        assert [item[0] for item in ours.history] == [item[0] for item in entry.get("history", [])], name
        assert ours.arguments == entry.get("arguments", []), name


def test_keys_equal_those_a_real_server_finds(peer: Connection) -> None:
    """On random command lines of every command, keys and flags are those of COMMAND GETKEYSANDFLAGS."""
    choose = random.Random(7)
    for name, facts in catalog.load().items():
        movable = "movablekeys" in facts.flags or name in ("SET", "BITFIELD")
        known = not isinstance(ask(peer, "COMMAND", "INFO", name)[0], type(None))
        if facts.subcommands or not known or name == "XREADGROUP":
            continue  # XREADGROUP: a group named as the keyword is answered differently when malformed
        for _ in range(120 if movable else 4):
            words = [part.encode() for part in name.split("|")]
            length = facts.arity if facts.arity > 0 else choose.randrange(6) - facts.arity
            words += choose.choices(WORDS, k=length - len(words))
            reply = ask(peer, "COMMAND", "GETKEYSANDFLAGS", *words)
            keys = keys_of(facts, words)
            if isinstance(reply, Exception):
                assert not keys or not has_keys(facts), words
                continue
            found = [(words[key.position], {flag.encode() for flag in key.flags}) for key in keys]
            assert found == [(key, set(flags)) for key, flags in reply], words
            assert list(positions_of(facts, words)) == [key.position for key in keys], words
