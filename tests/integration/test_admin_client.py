"""CLIENT on a running server."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest
from redis.exceptions import ConnectionError as Lost, ResponseError
from support import Server, start_kvserver, start_redis, wait_until
from support.wire import received_until

SAME_ERRORS = (
    ("KILL", "1.1.1.1:1"), ("KILL", "ID", "0"), ("KILL", "ID", "x"), ("KILL", "TYPE", "foo"), ("KILL", "FOO", "x"),
    ("KILL", "SKIPME", "maybe"), ("KILL", "USER", "nobody"), ("KILL", "ID", "1", "x"), ("KILL", "ID", "999999"),
    ("LIST", "TYPE", "foo"), ("LIST", "ID", "x"), ("LIST", "foo"), ("LIST", "TYPE"), ("PAUSE", "x"),
    ("PAUSE", "-1"), ("PAUSE", "1", "foo"), ("UNBLOCK", "x"), ("UNBLOCK", "999999"),
    ("UNBLOCK", "1", "foo"), ("SETNAME", "a b"), ("SETNAME", "ab\n"), ("SETNAME", "good"), ("GETNAME",),
    ("SETNAME", ""), ("GETNAME",), ("REPLY", "foo"), ("NO-EVICT", "foo"), ("NO-EVICT", "ON"), ("GETREDIR",),
    ("TRACKINGINFO",), ("CACHING", "YES"), ("foo",), ("ID", "x"), ("TRACKING", "OFF"), ("TRACKING", "foo"),
)  # fmt: skip


@pytest.fixture(scope="module")
def ours() -> Iterator[Server]:
    with start_kvserver() as server:
        yield server


@pytest.fixture(scope="module")
def real() -> Iterator[Server]:
    with start_redis() as server:
        yield server


def ask(server: Server, *args: str) -> object:
    client = server.client(single_connection_client=True)
    client.response_callbacks.clear()
    try:
        return client.execute_command("CLIENT", *args)
    except ResponseError as error:
        return f"-{error}"
    finally:
        client.close()


def test_replies_are_those_of_redis(ours: Server, real: Server) -> None:
    """Arguments are judged as by the real server, with the same replies."""
    different = [
        (request, mine, theirs)
        for request in SAME_ERRORS
        if (mine := ask(ours, *request)) != (theirs := ask(real, *request))
    ]
    assert different == []


def test_a_line_of_client_list_has_the_fields_of_redis(ours: Server, real: Server) -> None:
    """The fields and their order are those of Redis 7.0."""
    fields = [re.findall(r"(\S+?)=", ask(server, "LIST").decode()) for server in (ours, real)]  # type: ignore[attr-defined]
    assert fields[0][:28] == fields[1][:28]


def test_list_chooses_by_type_and_id(ours: Server) -> None:
    """TYPE and ID choose, flags and names show."""
    normal, listener = ours.client(single_connection_client=True), ours.client()
    normal.client_setname("me")
    subscription = listener.pubsub()
    subscription.subscribe("channel")
    subscription.get_message(timeout=5)
    normal.execute_command("MULTI")
    normal.execute_command("PING")
    watcher = ours.client()
    mine = next(line for line in watcher.client_list() if line["name"] == "me")
    assert mine["flags"] == "x"
    assert mine["multi"] == "1"
    assert mine["cmd"] in ("multi", "ping")
    assert [line["flags"] for line in watcher.client_list("pubsub")] == ["P"]
    assert [line["id"] for line in watcher.client_list(client_id=[mine["id"], "999999"])] == [mine["id"]]
    subscription.close()


def test_a_client_names_its_library(ours: Server) -> None:
    """CLIENT SETINFO (Redis 7.2) is shown by CLIENT LIST, outlives RESET, and takes no text that would break a line."""
    client = ours.client(single_connection_client=True, driver_info=None)
    client.response_callbacks.clear()
    assert client.execute_command("CLIENT", "SETINFO", "lib-name", "mine") == b"OK"
    assert client.execute_command("CLIENT", "SETINFO", "LIB-VER", "1.2") == b"OK"
    client.execute_command("RESET")
    assert client.execute_command("CLIENT", "INFO").endswith(b" lib-name=mine lib-ver=1.2\n")
    client.execute_command("CLIENT", "SETINFO", "LIB-VER", "")
    assert client.execute_command("CLIENT", "INFO").endswith(b" lib-name=mine lib-ver=\n")
    for words, text in (
        (("lib-ver", "a b"), "lib-ver cannot contain spaces, newlines or special characters."),
        (("lib", "x"), "Unrecognized option 'lib'"),
    ):
        assert ask(ours, "SETINFO", *words) == f"-{text}"


def test_kill_by_age(ours: Server) -> None:
    """CLIENT KILL MAXAGE ends connections of that many seconds; younger ones stay."""
    client = ours.client(single_connection_client=True)
    assert ask(ours, "KILL", "MAXAGE", "1000") == 0
    assert client.ping()
    assert ask(ours, "KILL", "MAXAGE", "0") == "-maxage should be greater than 0"
    assert ask(ours, "KILL", "MAXAGE", "x") == "-maxage is not an integer or out of range"
    wait_until(lambda: b"age=0 " not in client.execute_command("CLIENT", "INFO"), what="a second has passed")
    mine = client.client_id()
    assert ask(ours, "KILL", "MAXAGE", "1", "ID", str(mine)) == 1
    connection = client.connection
    assert connection is not None
    connection.send_command("PING")
    with pytest.raises(Lost):
        connection.read_response()


def test_no_touch(ours: Server) -> None:
    """What a client that doesn't touch keys reads stays as idle as it was; TOUCH and others' reads count."""
    quiet, other = ours.client(single_connection_client=True), ours.client()
    other.config_set("maxmemory-policy", "allkeys-lru")
    try:
        other.set("k", "v")
        assert quiet.execute_command("CLIENT", "NO-TOUCH", "ON") == b"OK"
        assert b" flags=T " in quiet.execute_command("CLIENT", "INFO")
        wait_until(lambda: (quiet.get("k"), quiet.object("IDLETIME", "k"))[1] > 0, what="k is idle")
        quiet.touch("k")
        assert quiet.object("IDLETIME", "k") == 0
        wait_until(lambda: quiet.object("IDLETIME", "k") > 0, what="k is idle again")
        other.get("k")
        assert quiet.object("IDLETIME", "k") == 0
        assert ask(ours, "NO-TOUCH", "maybe") == "-syntax error"
    finally:
        other.config_set("maxmemory-policy", "noeviction")


def test_kill_ends_connections(ours: Server) -> None:
    """The named connection ends, the others go on; the caller is spared unless it says otherwise."""
    victim, other = ours.client(single_connection_client=True), ours.client(single_connection_client=True)
    number = victim.client_id()
    assert other.client_kill_filter(_id=str(number)) == 1
    connection = victim.connection
    assert connection is not None
    connection.send_command("PING")
    with pytest.raises(Lost):
        connection.read_response()
    assert other.client_kill_filter(_id=str(other.client_id())) == 0
    assert other.client_kill_filter(_id=str(other.client_id()), skipme=False) == 1


def test_reply_off_and_skip(ours: Server) -> None:
    """SKIP leaves out one reply, OFF all until ON."""
    with ours.connect() as connection:
        connection.sendall(
            b"CLIENT REPLY SKIP\r\nPING\r\nECHO one\r\nCLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\nECHO two\r\n"
        )
        got = received_until(connection, lambda got: got.endswith(b"two\r\n"))
        assert got == b"$3\r\none\r\n+OK\r\n$3\r\ntwo\r\n"


def test_pause_holds_back_writes_until_unpause(ours: Server) -> None:
    """While writes are paused reads go on; a held-back write, alone or in a transaction, runs afterwards."""
    client, admin = ours.client(), ours.client()
    client.set("k", "old")
    admin.client_pause(60_000, all=False)
    transaction = ours.client().pipeline()
    transaction.set("t", "1")
    writers = [
        threading.Thread(target=client.set, args=("k", "new")),
        threading.Thread(target=transaction.execute),
    ]
    for writer in writers:
        writer.start()
    wait_until(lambda: admin.info("clients")["blocked_clients"] == 2)
    assert admin.get("k") == b"old"
    admin.client_unpause()
    for writer in writers:
        writer.join(10)
    assert admin.get("k") == b"new"
    assert admin.get("t") == b"1"


def test_a_pause_ends_by_itself(ours: Server) -> None:
    """A client paused with everybody else gets its reply when the time is over."""
    client = ours.client()
    client.client_pause(100)
    assert client.set("after", "pause")


def test_unblock_by_timeout_and_by_error(ours: Server) -> None:
    """A blocked client is answered as if its time were over, or with an error."""
    admin = ours.client()
    for reason, wanted in (("TIMEOUT", b"*-1\r\n"), ("ERROR", b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n")):
        with ours.connect() as connection:
            connection.sendall(b"CLIENT ID\r\n")
            number = int(connection.recv(100)[1:])
            connection.sendall(b"BLPOP nothing 0\r\n")
            wait_until(lambda: admin.info("clients")["blocked_clients"] == 1)
            assert admin.execute_command("CLIENT", "UNBLOCK", number, reason) == 1
            assert connection.recv(100) == wanted
