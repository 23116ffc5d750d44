"""Access control through clients: who may do what, who is thrown out, and what files keep."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from support import Server, start_kvserver, wait_until
from support.processes import python_env

GONE = "invalid username-password pair or user is disabled"


@pytest.fixture
def node() -> Iterator[Server]:
    with start_kvserver() as server:
        yield server


@pytest.fixture
def admin(node: Server) -> redis.Redis:
    return node.client()


def setuser(admin: redis.Redis, name: str, *rules: str) -> None:
    assert admin.execute_command("ACL", "SETUSER", name, *rules) == b"OK"


def login(node: Server, name: str, password: str = "pw") -> redis.Redis:
    """A client of one connection, which it keeps, so that its end is seen."""
    return once(node, username=name, password=password)


def refused(node: Server, name: str, password: str) -> None:
    """One attempt to log in, which fails."""
    with pytest.raises(redis.AuthenticationError, match=GONE):
        run(once(node), "AUTH", name, password)


def once(node: Server, **options: Any) -> redis.Redis:
    """A client that keeps to one connection, tries nothing twice, and says nothing of its own (CLIENT SETINFO)."""
    return node.client(driver_info=None, single_connection_client=True, retry=Retry(NoBackoff(), 0), **options)


def run(client: redis.Redis, *args: Any) -> Any:
    return client.execute_command(*args)


def test_a_user_does_what_the_rules_allow(node: Server, admin: redis.Redis) -> None:
    """Commands, keys and channels outside of the rules are refused by NOPERM, in Redis's words."""
    setuser(admin, "u", "on", ">pw", "+@all", "-config|get", "~a*", "%R~r*", "&ch*")
    client = login(node, "u")
    assert run(client, "ACL", "WHOAMI") == b"u"
    assert client.set("a1", "x")
    admin.set("r1", "x")
    assert client.get("r1") == b"x"
    for args, text in (
        (("GET", "b"), "access one of the keys used as arguments"),
        (("SET", "r1", "y"), "access one of the keys used as arguments"),
        (("PUBLISH", "other", "x"), "access one of the channels used as arguments"),
        (("CONFIG", "GET", "port"), "run the 'config|get' command"),
    ):
        with pytest.raises(redis.exceptions.NoPermissionError, match=f"this user has no permissions to {text}"):
            run(client, *args)
    assert client.publish("ch1", "x") == 0


def test_logging_in(node: Server, admin: redis.Redis) -> None:
    """Only an enabled user gets in, with a right password, by AUTH or HELLO."""
    setuser(admin, "u", ">pw", "+@all")
    refused(node, "u", "pw")
    setuser(admin, "u", "on")
    refused(node, "u", "no")
    refused(node, "none", "pw")
    assert run(login(node, "u"), "PING") is True
    client = once(node)
    assert run(client, "HELLO", 2, "AUTH", "u", "pw")
    assert run(client, "ACL", "WHOAMI") == b"u"
    assert run(client, "RESET") == "RESET"
    assert run(client, "ACL", "WHOAMI") == b"default"


def test_requirepass_and_the_default_user(node: Server, admin: redis.Redis) -> None:
    """requirepass is the default user's password; whoever is in stays in, new clients must give it."""
    admin.config_set("requirepass", "secret")
    assert admin.execute_command("ACL", "LIST")[0].startswith(b"user default on #")
    fresh = once(node)
    with pytest.raises(redis.AuthenticationError):
        run(fresh, "GET", "k")
    setuser(node.client(password="secret"), "default", "nopass")
    assert run(fresh, "GET", "k") is None
    setuser(node.client(), "default", "off")
    with pytest.raises(redis.AuthenticationError):
        run(once(node), "GET", "k")


def test_a_restricted_default_user(node: Server, admin: redis.Redis) -> None:
    """New and old connections of the default user are both bound by its rules, from the next request on."""
    old = once(node)
    assert run(old, "PING") is True
    setuser(admin, "admin", "on", ">pw", "+@all", "~*", "&*")
    setuser(admin, "default", "-ping")
    for client in (old, once(node)):
        with pytest.raises(redis.exceptions.NoPermissionError):
            run(client, "PING")
    setuser(login(node, "admin"), "default", "+@all")
    assert run(old, "PING") is True


def test_a_deleted_user_is_thrown_out(node: Server, admin: redis.Redis) -> None:
    """DELUSER ends the user's connections; the caller's own after its reply."""
    setuser(admin, "u", "on", ">pw", "+@all")
    client = login(node, "u")
    own = login(node, "u")
    assert run(client, "PING") is True
    assert run(own, "ACL", "DELUSER", "u", "nobody") == 1
    wait_until(lambda: ended(client) and ended(own))
    with pytest.raises(redis.ResponseError, match="The 'default' user cannot be removed"):
        run(admin, "ACL", "DELUSER", "default")


def ended(client: redis.Redis) -> bool:
    """Whether the server has closed the client's connection."""
    connection: Any = client.connection
    try:
        return bool(connection.can_read(0.0)) and connection.read_response() is None
    except redis.ConnectionError:
        return True


def test_subscribers_lose_channels(node: Server, admin: redis.Redis) -> None:
    """A subscriber of a channel that its user loses is disconnected, others are not."""
    setuser(admin, "u", "on", ">pw", "+@all", "&a", "&b")
    subscriptions = {}
    for channel in ("a", "b"):
        subscriptions[channel] = login(node, "u").pubsub()
        subscriptions[channel].subscribe(channel)
        assert subscriptions[channel].get_message(timeout=5)["type"] == "subscribe"
    setuser(admin, "u", "&c")
    assert admin.pubsub_numsub("a", "b") == [(b"a", 1), (b"b", 1)]
    setuser(admin, "u", "resetchannels", "&b", "&c")
    wait_until(lambda: admin.pubsub_numsub("a", "b") == [(b"a", 0), (b"b", 1)])


def test_transactions_are_checked_twice(node: Server, admin: redis.Redis) -> None:
    """A request is refused when it is queued, and when the rules have changed by the time of EXEC."""
    setuser(admin, "u", "on", ">pw", "+@all", "~*")
    client = login(node, "u")
    run(client, "MULTI")
    run(client, "SET", "k", "v")
    run(client, "INCR", "n")
    setuser(admin, "u", "-set")
    connection = client.connection
    assert connection is not None
    connection.send_command("EXEC")
    replies = connection.read_response()
    assert "no permission to execute the command or subcommand" in str(replies[0])
    assert replies[1] == 1
    run(client, "MULTI")
    with pytest.raises(redis.exceptions.NoPermissionError):
        run(client, "SET", "k", "v")
    with pytest.raises(redis.ResponseError, match="Transaction discarded because of previous errors"):
        run(client, "EXEC")


def test_scripts_act_for_their_caller(node: Server, admin: redis.Redis) -> None:
    """A script may do what its caller may, and can ask beforehand."""
    setuser(admin, "u", "on", ">pw", "+eval", "+get", "~a")
    client = login(node, "u")
    assert run(client, "EVAL", "return redis.call('get', 'a')", 0) is None
    with pytest.raises(redis.ResponseError, match="can't run this command or subcommand"):
        run(client, "EVAL", "return redis.call('set', 'a', 'x')", 0)
    with pytest.raises(redis.ResponseError, match="can't access at least one of the keys"):
        run(client, "EVAL", "return redis.call('get', 'b')", 0)
    asked = "return {redis.acl_check_cmd('get', 'a'), redis.acl_check_cmd('get', 'b')}"
    assert run(client, "EVAL", asked, 0) == [1, None]
    newest = dict(zip(raw_log(node)[0][::2], raw_log(node)[0][1::2], strict=True))
    assert (newest[b"context"], newest[b"object"], newest[b"count"]) == (b"lua", b"b", 1)
    assert b"cmd=eval" in newest[b"client-info"]


def test_sort_reads_only_what_may_be_read(node: Server, admin: redis.Redis) -> None:
    """BY and GET patterns, which may name any key, need read permission on every key."""
    setuser(admin, "u", "on", ">pw", "+sort", "~l")
    admin.rpush("l", 2, 1)
    client = login(node, "u")
    assert run(client, "SORT", "l") == [b"1", b"2"]
    assert run(client, "SORT", "l", "BY", "nosort") == [b"2", b"1"]
    for option, pattern in (("BY", "w_*"), ("GET", "#")):
        with pytest.raises(redis.ResponseError, match=f"{option} option of SORT denied"):
            run(client, "SORT", "l", option, pattern)
    setuser(admin, "u", "%R~*")
    assert run(client, "SORT", "l", "BY", "w_*") == [b"1", b"2"]


def test_the_log(node: Server, admin: redis.Redis) -> None:
    """ACL LOG tells why, where, what, who and how often; it is bounded, and RESET empties it."""
    setuser(admin, "u", "on", ">pw", "+get", "~a")
    client = login(node, "u")
    for _ in range(3):
        with pytest.raises(redis.exceptions.NoPermissionError):
            run(client, "GET", "b")
    refused(node, "u", "wrong")
    entries = [dict(zip(each[::2], each[1::2], strict=True)) for each in raw_log(node)]
    assert [(each[b"reason"], each[b"object"], each[b"username"], each[b"count"]) for each in entries] == [
        (b"auth", b"AUTH", b"u", 1),
        (b"key", b"b", b"u", 3),
    ]
    assert b"cmd=get user=u" in entries[1][b"client-info"]
    admin.config_set("acllog-max-len", 1)
    assert len(raw_log(node)) == 1
    assert run(admin, "ACL", "LOG", "RESET") == b"OK"
    assert raw_log(node) == []


def raw_log(node: Server) -> Any:
    """ACL LOG as the wire has it: redis-py's own reading of it differs by version."""
    connection = redis.Connection(host=node.host, port=node.port, protocol=2)
    try:
        connection.send_command("ACL", "LOG")
        return connection.read_response()
    finally:
        connection.disconnect()


def test_users_survive_in_the_acl_file(tmp_path: Path) -> None:
    """ACL SAVE writes what ACL LOAD and the next start read; a wrong file changes nothing."""
    path = tmp_path / "users.acl"
    path.write_text("user u on >pw ~a* +@all\n")
    with start_kvserver(folder=tmp_path, aclfile="users.acl") as node:
        admin = node.client()
        setuser(admin, "v", "on", "nopass", "+get", "(+set %W~w)")
        assert run(admin, "ACL", "SAVE") == b"OK"
        lines = run(admin, "ACL", "LIST")
        assert path.read_bytes() == b"".join(line + b"\n" for line in lines)
        assert [each.name for each in tmp_path.iterdir() if "users" in each.name] == ["users.acl"]
        node.restart()
        assert run(node.client(), "ACL", "LIST") == lines
        path.write_text("user w on\nuser x +nope\n")
        with pytest.raises(redis.ResponseError, match=r"users.acl:2: Error in applying operation '\+nope'"):
            run(node.client(), "ACL", "LOAD")
        assert run(node.client(), "ACL", "LIST") == lines
        client = login(node, "u")
        assert run(client, "PING") is True
        path.write_text("user w on\n")
        assert run(node.client(), "ACL", "LOAD") == b"OK"
        assert run(node.client(), "ACL", "USERS") == [b"default", b"w"]
        wait_until(lambda: ended(client))


def test_thousands_of_users_hold_nobody_up(tmp_path: Path) -> None:
    """Others are served while ten thousand users are loaded, listed and saved; a wrong line changes nothing."""
    file = tmp_path / "users.acl"
    rule = "on nopass ~app:* &chan -@all +@read +@write -@dangerous"
    file.write_text("user default on nopass ~* &* +@all\n")
    with start_kvserver(aclfile=file) as node, node.connect() as link, node.connect() as other:
        file.write_text("user default on nopass ~* &* +@all\n" + "".join(f"user u{i} {rule}\n" for i in range(10_000)))
        for command in (b"LOAD", b"LIST", b"SAVE"):
            link.sendall(b"ACL " + command + b"\r\nPING\r\n")
            received = b""
            served = 0
            link.setblocking(False)
            while not received.endswith(b"+PONG\r\n"):
                other.sendall(b"PING\r\n")
                assert other.recv(16) == b"+PONG\r\n"
                served += 1
                with contextlib.suppress(BlockingIOError):
                    received += link.recv(1 << 20)
            link.setblocking(True)
            assert served > 3
            assert received.startswith(b"*10001\r\n" if command == b"LIST" else b"+OK\r\n")
        assert file.read_text().count("\n") == 10_001
        client = node.client()
        file.write_text("user u1 on nopass +get\nuser u2 +bogus\n")
        with pytest.raises(redis.ResponseError, match="no change to the previously active ACL rules"):
            client.acl_load()
        assert len(client.acl_users()) == 10_001
        other.sendall(b"AUTH u5 any\r\n")
        assert other.recv(16) == b"+OK\r\n"
        file.write_text("user default on nopass ~* &* +@all\nuser u7 on nopass ~* +@all\n")
        assert node.command("ACL", "LOAD") == b"OK"
        assert other.recv(16) == b""
        with node.connect() as queued:
            queued.sendall(b"MULTI\r\nACL LOAD\r\nACL SAVE\r\nEXEC\r\n")
            wanted = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n"
            assert queued.makefile("rb").read(len(wanted)) == wanted


def test_users_survive_in_the_configuration(tmp_path: Path) -> None:
    """CONFIG REWRITE keeps users in the configuration file, from which the next start takes them."""
    config = tmp_path / "node.conf"
    config.write_text("# mine\nuser u on >pw ~* +@all -flushdb\n")
    with start_kvserver(str(config), folder=tmp_path) as node:
        admin = node.client()
        setuser(admin, "v", "on", "+get")
        lines = run(admin, "ACL", "LIST")
        with pytest.raises(redis.exceptions.NoPermissionError):
            run(login(node, "u"), "FLUSHDB")
        with pytest.raises(redis.ResponseError, match="not configured to use an ACL file"):
            run(admin, "ACL", "SAVE")
        assert run(admin, "CONFIG", "REWRITE")
        assert config.read_text().startswith("# mine\nuser default on nopass ~* &* +@all\n")
        node.restart()
        assert run(node.client(), "ACL", "LIST") == lines


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--user", "foo", "--user", "foo"], "Duplicate user found"),
        (["--user", "foo", "+nope"], "Unknown command or category name in ACL"),
        (["--aclfile", "none.acl"], "opening file 'none.acl': No such file"),
        (["--user", "foo", "--aclfile", "none.acl"], "but not both"),
    ],
)
def test_wrong_users_keep_the_node_from_starting(words: list[str], problem: str, tmp_path: Path) -> None:
    """A node doesn't start with users it can't read, since it would let in whom it shouldn't."""
    ended = subprocess.run(
        [sys.executable, "-m", "kvserver", "--port", "0", *words],
        cwd=tmp_path, env=python_env(), capture_output=True, timeout=30,
    )  # fmt: skip
    said = (ended.stdout + ended.stderr).decode()
    assert ended.returncode == 1
    assert problem in said
    assert "Traceback" not in said


def test_new_users_and_channels(node: Server, admin: redis.Redis) -> None:
    """acl-pubsub-default says which channels a user created from here on may use."""
    setuser(admin, "u", "on", ">pw", "+@all")
    admin.config_set("acl-pubsub-default", "allchannels")
    setuser(admin, "v", "on", ">pw", "+@all")
    assert login(node, "v").publish("x", "y") == 0
    with pytest.raises(redis.exceptions.NoPermissionError):
        login(node, "u").publish("x", "y")


def test_dry_runs_and_passwords(admin: redis.Redis) -> None:
    """DRYRUN says what would be refused without doing it; GENPASS makes as many digits as asked for."""
    setuser(admin, "u", "+set", "~a")
    assert run(admin, "ACL", "DRYRUN", "u", "SET", "a", "x") == b"OK"
    assert run(admin, "ACL", "DRYRUN", "u", "SET", "b", "x").endswith(b"no permissions to access the 'b' key")
    assert run(admin, "ACL", "DRYRUN", "u", "GET", "a").endswith(b"no permissions to run the 'get' command")
    assert not admin.exists("a")
    for args in (("nobody", "GET", "a"), ("u", "NOPE"), ("u", "GET")):
        with pytest.raises(redis.ResponseError):
            run(admin, "ACL", "DRYRUN", *args)
    assert len(run(admin, "ACL", "GENPASS")) == 64
    assert len(run(admin, "ACL", "GENPASS", 5)) == 2
    for bits in ("0", "4097", "x", "-1"):
        with pytest.raises(redis.ResponseError):
            run(admin, "ACL", "GENPASS", bits)


def test_clients_are_listed_and_ended_by_user(node: Server, admin: redis.Redis) -> None:
    """CLIENT LIST names each client's user, and CLIENT KILL USER ends those of one."""
    setuser(admin, "u", "on", ">pw", "+@all")
    client = login(node, "u")
    assert run(client, "PING") is True
    assert "u" in [each["user"] for each in admin.client_list()]
    assert run(admin, "CLIENT", "KILL", "USER", "u") == 1
    with pytest.raises(redis.ResponseError, match="No such user 'nobody'"):
        run(admin, "CLIENT", "KILL", "USER", "nobody")
