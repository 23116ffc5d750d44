"""TLS: clients, certificates and their renewal, replication with real Redis in both directions, sentinels."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from support import (
    Server,
    free_port,
    require_peer,
    start_kvsentinel,
    start_kvserver,
    start_redis,
    start_redis_sentinel,
    wait_until,
)
from support.certificates import Authority, Certificate

FAST: dict[str, Any] = {"repl_diskless_sync_delay": 0, "repl_ping_replica_period": 1, "repl_timeout": 10}
KINDS: dict[str, Callable[..., Server]] = {"ours": start_kvserver, "redis": start_redis}
REFUSED = (redis.ConnectionError, redis.TimeoutError)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "ca")


@pytest.fixture(scope="module")
def stranger(authority: Authority) -> Certificate:
    """A certificate from an authority that nobody trusts."""
    return Authority(authority.folder, "other").issue("stranger")


@pytest.fixture(scope="module")
def mine(authority: Authority) -> Certificate:
    """A certificate that any of the tests' servers accept."""
    return authority.issue("node")


class Secured:
    """A node that listens both with and without TLS."""

    def __init__(self, stack: ExitStack, kind: str = "ours", **options: Any) -> None:
        self.tls_port = free_port()
        self.node = stack.enter_context(KINDS[kind](tls_port=self.tls_port, **options))

    def client(self, **how: Any) -> redis.Redis:
        return self.node.client(port=self.tls_port, **how)


def serial(node: Secured) -> int:
    """Which certificate a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", node.tls_port), 10) as plain,
        context.wrap_socket(plain) as secure,
    ):
        return hash(secure.getpeercert(binary_form=True))


def test_both_sides_show_certificates(stack: ExitStack, mine: Certificate, stranger: Certificate) -> None:
    """By default a client needs a certificate that the server's authority stands for."""
    node = Secured(stack, **mine.options())
    client = node.client(**mine.redis_py())
    big = b"x" * 3_000_000
    assert client.set("key", big)
    assert client.get("key") == big
    pipe = client.pipeline(transaction=False)
    for number in range(2000):
        pipe.set(f"k{number}", number)
    assert all(pipe.execute())
    assert node.node.command("GET", "k7") == b"7"
    for credentials in (mine.anonymous(), stranger.redis_py() | {"ssl_ca_certs": str(mine.authority)}):
        with pytest.raises(REFUSED):
            node.client(**credentials).ping()
    with pytest.raises(REFUSED):
        node.client(**stranger.redis_py()).ping()
    with pytest.raises(REFUSED):
        node.client().ping()
    assert client.ping()


def test_redis_cli_and_benchmark_connect(stack: ExitStack, mine: Certificate) -> None:
    """Redis's own tools, which begin the handshake in the moment of connecting, are served."""
    node = Secured(stack, **mine.options())
    where = ["-h", "127.0.0.1", "-p", str(node.tls_port), *mine.redis_cli()]
    done = subprocess.run([require_peer("redis-cli"), *where, "INCR", "n"], capture_output=True, timeout=30)
    assert done.stdout.strip() == b"1"
    load = [require_peer("redis-benchmark"), *where, "-t", "set", "-n", "2000", "-c", "20", "-q"]
    done = subprocess.run(load, capture_output=True, timeout=60)
    assert b"requests per second" in done.stdout, done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_homemade_authority_will_do(stack: ExitStack, kind: str, tmp_path: Path) -> None:
    """An authority without key usage, as homemade ones are, is good enough for clients and replicas, as with Redis."""
    homemade = Authority(tmp_path, "homemade", proper=False).issue("node")
    primary = Secured(stack, kind, **homemade.options(), **FAST)
    where = ["-p", str(primary.tls_port), *homemade.redis_cli()]
    done = subprocess.run([require_peer("redis-cli"), *where, "SET", "k", "v"], capture_output=True, timeout=30)
    assert done.stdout.strip() == b"OK"
    words = ["127.0.0.1", primary.tls_port]
    replica = Secured(stack, tls_replication=True, replicaof=words, **homemade.options(), **FAST).node
    wait_until(lambda: replica.command("GET", "k") == b"v", what="the replica has the key")


@pytest.mark.parametrize("kind", KINDS)
def test_tls_auth_clients(stack: ExitStack, kind: str, mine: Certificate, stranger: Certificate) -> None:
    """no: nobody needs a certificate; optional: only a good one or none; yes: a good one. As Redis."""
    node = Secured(stack, kind, **mine.options())
    bad = stranger.redis_py() | {"ssl_ca_certs": str(mine.authority)}
    for setting, welcome in (("no", (True, True, True)), ("optional", (True, True, False)),
                             ("yes", (True, False, False))):
        assert node.node.command("CONFIG", "SET", "tls-auth-clients", setting)
        for credentials, expected in zip((mine.redis_py(), mine.anonymous(), bad), welcome, strict=True):
            client = node.client(**credentials)
            if expected:
                assert client.ping()
            else:
                with pytest.raises(REFUSED):
                    client.ping()


def test_only_tls(stack: ExitStack, mine: Certificate) -> None:
    """With port 0 there is TLS alone, and INFO tells its port."""
    port = free_port()
    server = stack.enter_context(start_kvserver(port=0, tls_port=port, wait=False, **mine.options()))
    client = server.client(port=port, **mine.redis_py())
    wait_until(client.ping, what="the TLS port")
    assert client.info("server")["tcp_port"] == port
    listed = client.client_list()[0]
    assert listed["laddr"] == f"127.0.0.1:{port}"


def test_ports_move_while_running(stack: ExitStack, mine: Certificate) -> None:
    """CONFIG SET opens, moves and closes the TLS port; clients that are connected stay; a taken one is refused."""
    server = stack.enter_context(start_kvserver(**mine.options()))
    plain = server.client()
    first, second = free_port(), free_port()
    assert plain.config_set("tls-port", first)
    client = server.client(port=first, single_connection_client=True, **mine.redis_py())
    assert client.ping()
    with socket.create_server(("127.0.0.1", second)), pytest.raises(redis.ResponseError, match="Unable to listen"):
        plain.config_set("tls-port", second)
    assert server.client(port=first, **mine.redis_py()).ping()
    assert plain.config_set("tls-port", second)
    assert server.client(port=second, **mine.redis_py()).ping()
    assert client.ping()
    assert plain.config_set("tls-port", 0)
    with pytest.raises(REFUSED):
        server.client(port=second, **mine.redis_py()).ping()


def test_certificates_are_renewed(stack: ExitStack, authority: Authority, stranger: Certificate) -> None:
    """Setting the same name again reads the files again; connections stay up, new ones see the new certificate."""
    first, second = authority.issue("first"), authority.issue("second")
    cert, key = authority.folder / "live.crt", authority.folder / "live.key"
    shutil.copy(first.cert, cert)
    shutil.copy(first.key, key)
    live = Certificate(cert, key, authority.cert)
    node = Secured(stack, **live.options())
    client = node.client(single_connection_client=True, **first.redis_py())
    assert client.ping()
    before = serial(node)
    shutil.copy(second.cert, cert)
    shutil.copy(second.key, key)
    assert serial(node) == before
    assert client.config_set("tls-cert-file", str(cert), "tls-key-file", str(key))
    assert serial(node) != before
    assert client.ping()
    assert client.config_set("tls-ca-cert-file", str(stranger.authority))
    with pytest.raises(REFUSED):
        node.client(**first.redis_py()).ping()
    assert client.ping()


def test_a_bad_certificate_is_refused(stack: ExitStack, authority: Authority, mine: Certificate) -> None:
    """What can't be used refuses the CONFIG SET with Redis's words, and the old stays in force."""
    node = Secured(stack, **mine.options())
    client = node.client(**mine.redis_py())
    before = serial(node)
    junk = authority.folder / "junk.crt"
    junk.write_text("no certificate")
    other = authority.issue("unmatched")
    for pairs in (
        ("tls-cert-file", str(junk)),
        ("tls-cert-file", str(authority.folder / "missing.crt")),
        ("tls-cert-file", ""),
        ("tls-key-file", str(other.key)),
        ("tls-ca-cert-file", str(junk)),
        ("tls-ca-cert-file", ""),
        ("tls-protocols", "TLSv9"),
        ("tls-ciphers", "no-such-cipher"),
        ("tls-dh-params-file", str(junk)),
    ):
        with pytest.raises(redis.ResponseError, match="Unable to update TLS configuration"):
            client.config_set(*pairs)
        assert client.config_get(pairs[0])[pairs[0]] != pairs[1], pairs
    assert serial(node) == before
    assert node.client(**mine.redis_py()).ping()


def test_an_encrypted_key(stack: ExitStack, authority: Authority, mine: Certificate) -> None:
    """tls-key-file-pass opens an encrypted key; without it the server doesn't start, and asks nobody."""
    locked = authority.issue("locked", password="open sesame")
    node = Secured(stack, tls_key_file_pass="open sesame", **locked.options())
    assert node.client(**mine.redis_py()).ping()
    blind = stack.enter_context(start_kvserver(tls_port=free_port(), wait=False, **locked.options()))
    assert blind.wait(30) == 1
    assert "locked.key" in blind.log_text()


def test_tls_protocols(stack: ExitStack, mine: Certificate) -> None:
    """Only the versions that tls-protocols names are spoken."""
    node = Secured(stack, tls_protocols="TLSv1.2", tls_auth_clients="no", **mine.options())

    def version(**limits: Any) -> str | None:
        context = ssl.create_default_context(cafile=str(mine.authority))
        for name, value in limits.items():
            setattr(context, name, value)
        with (
            socket.create_connection(("127.0.0.1", node.tls_port), 10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            return secure.version()

    assert version() == "TLSv1.2"
    with pytest.raises(OSError, match=r"(?i)protocol"):
        version(minimum_version=ssl.TLSVersion.TLSv1_3)
    assert node.node.command("CONFIG", "SET", "tls-protocols", "")
    assert version() == "TLSv1.3"


def test_a_silent_peer_holds_nothing_up(stack: ExitStack, mine: Certificate) -> None:
    """Connections that never begin their handshake count towards maxclients, and hold no one else up."""
    node = Secured(stack, maxclients=20, **mine.options())
    with ExitStack() as sockets:
        for _ in range(10):
            sockets.enter_context(socket.create_connection(("127.0.0.1", node.tls_port), 10))
        assert node.client(**mine.redis_py()).ping()
        for _ in range(10):
            sockets.enter_context(socket.create_connection(("127.0.0.1", node.tls_port), 10))
        wait_until(lambda: node.node.info("stats")["rejected_connections"] > 0, what="a refusal")
    client = node.client(**mine.redis_py())
    wait_until(client.ping, what="room for clients again")


@pytest.mark.parametrize(("primary_kind", "replica_kind"), [("ours", "ours"), ("redis", "ours"), ("ours", "redis")])
def test_replication(stack: ExitStack, mine: Certificate, primary_kind: str, replica_kind: str) -> None:
    """A snapshot and the stream behind it pass through TLS, and the replica tells its TLS port."""
    options = {**FAST, **mine.options(), "tls_replication": True}
    primary = Secured(stack, primary_kind, **options)
    writer = primary.node.client()
    writer.set("big", "x" * 2_000_000)
    for number in range(500):
        writer.rpush("list", number)
    replica = Secured(stack, replica_kind, replicaof=["127.0.0.1", primary.tls_port], **options)
    reader = replica.node.client()
    wait_until(lambda: replica.node.info("replication")["master_link_status"] == "up", what="the link")
    writer.set("after", "y" * 1_000_000)
    wait_until(lambda: reader.get("after") == b"y" * 1_000_000, what="the stream")
    assert reader.llen("list") == 500
    assert reader.strlen("big") == 2_000_000
    assert writer.execute_command("WAIT", 1, 5000) == 1
    assert primary.node.info("replication")["slave0"]["port"] == replica.tls_port


def test_a_primary_that_is_not_trusted(stack: ExitStack, mine: Certificate, stranger: Certificate) -> None:
    """A replica doesn't follow a primary whose certificate comes from another authority."""
    primary = Secured(stack, tls_auth_clients="no", **stranger.options())
    replica = Secured(stack, replicaof=["127.0.0.1", primary.tls_port], tls_replication=True, **FAST, **mine.options())
    wait_until(lambda: "CERTIFICATE_VERIFY_FAILED" in replica.node.log_text(), what="the refusal in the log")
    assert replica.node.info("replication")["master_link_status"] == "down"


@pytest.mark.parametrize("kind", KINDS)
def test_migrate(stack: ExitStack, kind: str, mine: Certificate) -> None:
    """tls-cluster has MIGRATE speak TLS to its target, and its own certificate shown there."""
    shown = mine.options() | {"tls_client_cert_file": mine.cert, "tls_client_key_file": mine.key}
    source, target = Secured(stack, tls_cluster=True, **shown), Secured(stack, kind, **mine.options())
    source.node.command("SET", "key", "value")
    assert source.node.command("MIGRATE", "127.0.0.1", target.tls_port, "key", 0, 5000) == b"OK"
    assert target.node.command("GET", "key") == b"value"


@pytest.mark.parametrize(("node_kind", "theirs"), [("ours", 1), ("redis", 0)])
def test_sentinels(stack: ExitStack, mine: Certificate, node_kind: str, theirs: int) -> None:
    """Sentinels, a real one among them, find nodes and each other through TLS, and fail over to a TLS port."""
    options = {**FAST, **mine.options(), "tls_replication": True}
    primary = Secured(stack, node_kind, **options)
    replica = Secured(stack, node_kind, replicaof=["127.0.0.1", primary.tls_port], **options)
    tls_lines = [f"tls-{name} {path}" for name, path in
                 (("cert-file", mine.cert), ("key-file", mine.key), ("ca-cert-file", mine.authority))]
    sentinels = []
    for number in range(3):
        starter: Callable[..., Server] = start_redis_sentinel if number < theirs else start_kvsentinel
        sentinels.append(stack.enter_context(starter(
            *tls_lines, "tls-replication yes", f"tls-port {free_port()}",
            f"sentinel monitor mymaster 127.0.0.1 {primary.tls_port} 2",
            "sentinel down-after-milliseconds mymaster 1500", "sentinel failover-timeout mymaster 20000")))

    def complete() -> bool:
        views: list[Any] = [s.client(decode_responses=True).sentinel_master("mymaster") for s in sentinels]
        return all(v["num-slaves"] == 1 and v["num-other-sentinels"] == 2 and v["flags"] == "master" for v in views)

    wait_until(complete, timeout=30, what="discovery")
    primary.node.kill()
    expected = [b"127.0.0.1", str(replica.tls_port).encode()]
    wait_until(lambda: all(list(s.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")) == expected
                           for s in sentinels), timeout=40, what="the failover")
    client = replica.client(**mine.redis_py())
    wait_until(lambda: client.info("replication")["role"] == "master", what="the promotion")
    assert client.set("key", "value")


@pytest.mark.parametrize("missing", ["tls_cert_file", "tls_key_file", "tls_ca_cert_file"])
def test_what_is_missing_is_named(stack: ExitStack, mine: Certificate, missing: str) -> None:
    """A server that can't have TLS as asked doesn't start, and says which option is missing."""
    options = {name: value for name, value in mine.options().items() if name != missing}
    server = stack.enter_context(start_kvserver(tls_port=free_port(), wait=False, **options))
    assert server.wait(30) == 1
    assert missing.replace("_", "-") in server.log_text()


def test_the_files_can_be_anywhere(stack: ExitStack, mine: Certificate, tmp_path: Path) -> None:
    """Names are relative to `dir`, as Redis has it."""
    for source, name in ((mine.cert, "a.crt"), (mine.key, "a.key"), (mine.authority, "ca.crt")):
        shutil.copy(source, tmp_path / name)
    node = Secured(stack, folder=tmp_path, tls_cert_file="a.crt", tls_key_file="a.key", tls_ca_cert_file="ca.crt")
    assert node.client(**mine.redis_py()).ping()
