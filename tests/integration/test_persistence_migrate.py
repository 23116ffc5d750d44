"""MIGRATE between us and a real Redis."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import redis
from support import Server, free_port, start_kvserver, start_redis, wait_until

KINDS: list[tuple[Callable[..., Server], Callable[..., Server]]] = [
    (start_kvserver, start_kvserver),
    (start_kvserver, start_redis),
    (start_redis, start_kvserver),
]


@pytest.fixture(params=KINDS, ids=["to ourselves", "to Redis", "from Redis"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Server, Server]]:
    one, two = request.param
    with one() as source, two(requirepass="secret") as target:
        yield source, target


def test_keys_move_with_their_time_to_live(pair: tuple[Server, Server]) -> None:
    """All that exist among the named keys arrive in the named database, and are gone here."""
    source, target = pair
    here, there = source.client(), target.client(db=2)
    here.set("a", "1", px=100_000)
    here.rpush("l", *range(500))
    reply = here.execute_command(
        "MIGRATE", target.host, target.port, "", 2, 5000, "AUTH", "secret", "KEYS", "a", "l", "none"
    )
    assert reply == b"OK"
    assert here.dbsize() == 0
    assert there.get("a") == b"1"
    assert 0 < there.pttl("a") <= 100_000
    assert there.lrange("l", 0, -1) == [b"%d" % i for i in range(500)]
    again = ("MIGRATE", target.host, target.port, "a", 2, 5000, "AUTH2", "default", "secret")
    assert here.execute_command(*again) == b"NOKEY"


def test_busy_keys_stay_unless_replaced(pair: tuple[Server, Server]) -> None:
    """A key that is there already is refused, and kept here; REPLACE overwrites it, COPY leaves ours."""
    source, target = pair
    here, there = source.client(), target.client()
    here.set("k", "new")
    there.set("k", "old")
    request = ("MIGRATE", target.host, target.port, "k", 0, 5000)
    with pytest.raises(redis.ResponseError, match="Target instance replied with error: NOAUTH"):
        here.execute_command(*request)
    with pytest.raises(redis.ResponseError, match="Target instance replied with error: BUSYKEY"):
        here.execute_command(*request, "AUTH", "secret")
    assert here.get("k") == b"new"
    assert here.execute_command(*request, "COPY", "REPLACE", "AUTH", "secret") == b"OK"
    assert (here.get("k"), there.get("k")) == (b"new", b"new")


REFUSALS = {
    "no such database": (99, (), "DB index is out of range"),
    "no password wanted": (0, ("AUTH", "x"), "AUTH <password> called without any password"),
    "wrong password": (0, ("AUTH2", "mover", "x"), "WRONGPASS"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("kind", KINDS, ids=["to ourselves", "to Redis", "from Redis"])
def test_keys_stay_when_auth_or_select_is_refused(
    kind: tuple[Callable[..., Server], Callable[..., Server]], refusal: str
) -> None:
    """A target that refuses the user or the database has not got the keys: they stay, and the reply is its error."""
    db, words, text = REFUSALS[refusal]
    with kind[0]() as source, kind[1]() as target:
        target.command("ACL", "SETUSER", "mover", "on", ">secret", "~*", "+@all")
        here, there = source.client(), target.client()
        here.mset({"a": "1", "b": "2"})
        for _ in range(2):  # over a connection of its own, and where Redis keeps it, over the same
            with pytest.raises(redis.ResponseError, match=f"Target instance replied with error: .*{text}"):
                here.execute_command("MIGRATE", target.host, target.port, "", db, 5000, *words, "KEYS", "a", "b")
        assert here.mget("a", "b") == [b"1", b"2"]
        if kind[0] is start_kvserver:
            assert there.dbsize() == 0
        good = ("MIGRATE", target.host, target.port, "a", 3, 5000, "REPLACE", "AUTH2", "mover", "secret")
        assert here.execute_command(*good) == b"OK"
        assert target.client(db=3).get("a") == b"1"


def test_a_target_that_is_gone_or_silent() -> None:
    """Nothing listens, or nothing answers: an IOERR after the timeout, and the key stays."""
    with start_kvserver() as node, socket.create_server(("127.0.0.1", 0)) as silent:
        client = node.client()
        client.set("k", "v")
        for port in (free_port(), silent.getsockname()[1]):
            with pytest.raises(redis.ResponseError, match="IOERR"):
                client.execute_command("MIGRATE", "127.0.0.1", port, "k", 0, 300)
        assert client.get("k") == b"v"
        client.set("k", "w")


def test_writes_wait_until_a_migration_is_over() -> None:
    """While the target is silent, reads are served and writes wait; then the key is still there to be written."""
    with start_kvserver() as node, socket.create_server(("127.0.0.1", 0)) as silent:
        client, other = node.client(), node.client()
        client.set("k", "v")
        errors: list[str] = []

        def move() -> None:
            try:
                node.client().execute_command("MIGRATE", "127.0.0.1", silent.getsockname()[1], "k", 0, 1000)
            except redis.ResponseError as error:
                errors.append(str(error))

        thread = threading.Thread(target=move)
        thread.start()
        wait_until(lambda: client.info("clients")["blocked_clients"] == 1)
        assert client.get("k") == b"v"
        assert not errors
        other.append("k", "w")
        thread.join()
        assert errors
        assert client.get("k") == b"vw"


def test_bad_arguments_are_those_of_redis() -> None:
    """Syntax and numbers are refused with the words of Redis."""
    requests = [
        ("h", 1, "k", 0, 10, "NOPE"),
        ("h", 1, "k", 0, 10, "KEYS", "a"),
        ("h", 1, "k", "x", 10),
        ("h", 1, "k", 0, "x"),
        ("h", 1, "none", 0, 10),
        ("h", 1, "k", 0, 10, "AUTH"),
    ]
    with start_kvserver() as node, start_redis() as peer:
        for request in requests:
            replies = []
            for server in (node, peer):
                try:
                    replies.append(server.command("MIGRATE", *request))
                except redis.ResponseError as error:
                    replies.append(str(error))
            assert replies[0] == replies[1], request


def test_connections_are_kept(pair: tuple[Server, Server]) -> None:
    """The next MIGRATE to the same target uses the same connection; when that was closed meanwhile, another one."""
    source, target = pair
    here, there = source.client(), target.client()

    def accepted() -> int:
        return int(there.info("stats")["total_connections_received"])

    def move() -> None:
        here.set("k", "v")
        here.execute_command("MIGRATE", target.host, target.port, "k", 3, 5000, "REPLACE", "AUTH", "secret")

    move()
    before = accepted()
    move()
    assert accepted() == before
    assert here.info("stats")["migrate_cached_sockets"] == 1
    there.client_kill_filter(_type="normal", skipme=True)
    move()
    assert accepted() == before + 1
    assert target.client(db=3).get("k") == b"v"
