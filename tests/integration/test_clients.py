"""The clients people use, unchanged: redis-cli, redis-benchmark, redis-py in both protocols, sync and asyncio."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import redis.asyncio
from support import Server, require_peer, start_kvserver, wait_until, wait_until_async

BENCHMARKS = {
    "PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "LPUSH", "RPUSH", "LPOP", "RPOP", "SADD", "HSET", "SPOP",
    "ZADD", "ZPOPMIN", "LRANGE_100 (first 100 elements)", "LRANGE_300 (first 300 elements)",
    "LRANGE_500 (first 500 elements)", "LRANGE_600 (first 600 elements)", "MSET (10 keys)",
    "LPUSH (needed to benchmark LRANGE)",
}  # fmt: skip


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    path = tmp_path_factory.mktemp("s") / "kv.sock"
    with start_kvserver(unixsocket=path, unixsocketperm="700") as server:
        server.unix = path  # type: ignore[attr-defined]
        yield server
        assert "Traceback" not in server.log_text()


@pytest.fixture(autouse=True)
def empty(node: Server) -> None:
    node.command("FLUSHALL")


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def client(node: Server, request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    with node.client(protocol=request.param, decode_responses=True) as made:
        yield made


def cli(node: Server, *words: str, given: bytes | None = None, seconds: float = 30.0) -> str:
    """What redis-cli prints."""
    ended = subprocess.run(
        [require_peer("redis-cli"), "-h", node.host, "-p", str(node.port), *words],
        input=given, capture_output=True, timeout=seconds,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode()


def test_cli_prints_replies(node: Server) -> None:
    """redis-cli shows what it gets, in both protocols."""
    assert cli(node, "SET", "k", "v") == "OK\n"
    assert cli(node, "GET", "k") == "v\n"
    cli(node, "HSET", "h", "f", "1")
    assert cli(node, "-3", "HGETALL", "h") == "f 1\n"
    assert cli(node, "--no-raw", "-3", "HGETALL", "h") == '1# "f" => "1"\n'
    assert cli(node, "--no-raw", "HGETALL", "h") == '1) "f"\n2) "1"\n'
    assert cli(node, "--no-raw", "GET", "none") == "(nil)\n"
    assert cli(node, "-n", "3", "DBSIZE") == "0\n"
    assert "redis_version:" in cli(node, "INFO")
    assert cli(node, "EVAL", "return 1", "0") == "1\n"


def test_cli_reads_a_script(node: Server) -> None:
    """redis-cli runs the commands of its standard input, transactions among them."""
    assert cli(node, given=b"MULTI\nSET a 1\nINCR a\nEXEC\n") == "OK\nQUEUED\nQUEUED\nOK\n2\n"


def test_cli_pipe(node: Server) -> None:
    """redis-cli --pipe loads ten thousand commands and counts as many replies."""
    data = b"".join(b"*3\r\n$3\r\nSET\r\n$9\r\nkey:%05d\r\n$5\r\n%05d\r\n" % (i, i) for i in range(10_000))
    said = cli(node, "--pipe", given=data)
    assert "errors: 0, replies: 10000" in said
    assert node.command("DBSIZE") == 10_000


def fill(node: Server) -> None:
    with node.client() as client:
        for i in range(300):
            client.set(f"string:{i}", "x" * i)
        client.rpush("list:big", *range(500))
        client.sadd("set:big", *range(50))
        client.zadd("zset:big", {str(i): i for i in range(40)})
        client.hset("hash:big", mapping={str(i): i for i in range(30)})
        client.xadd("stream:big", {"a": "b"})


def test_cli_walks_the_keys(node: Server) -> None:
    """redis-cli's --scan, --bigkeys and --memkeys see every key."""
    fill(node)
    assert len(cli(node, "--scan").split()) == 305
    assert sorted(cli(node, "--scan", "--pattern", "*:big").split())[:2] == ["hash:big", "list:big"]
    said = cli(node, "--bigkeys")
    assert "Biggest   list found" in said
    assert "has 500 items" in said
    assert "Sampled 305 keys" in said
    said = cli(node, "--memkeys")
    assert "Sampled 305 keys" in said


def test_cli_watches(node: Server) -> None:
    """redis-cli's --stat and --latency go on showing figures until they are ended."""
    for words, seen in ((["--stat", "-i", "0.1"], "------- data ------"), (["--latency", "--raw", "-i", "1"], " ")):
        child = subprocess.Popen(
            [require_peer("redis-cli"), "-h", node.host, "-p", str(node.port), *words], stdout=subprocess.PIPE
        )
        try:
            assert child.stdout is not None
            lines = [child.stdout.readline().decode() for _ in range(3 if "--stat" in words else 1)]
            assert seen in "".join(lines)
        finally:
            child.terminate()
            child.communicate()


@pytest.mark.parametrize("pipeline", ["1", "16"])
def test_benchmark(node: Server, pipeline: str) -> None:
    """redis-benchmark's default tests all run through, without errors."""
    node.command("CONFIG", "RESETSTAT")
    ended = subprocess.run(
        [require_peer("redis-benchmark"), "-h", node.host, "-p", str(node.port), "-n", "1000", "-P", pipeline, "--csv"],
        capture_output=True, timeout=60,
    )  # fmt: skip
    said = ended.stdout.decode()
    assert ended.returncode == 0, ended.stderr.decode()
    assert ended.stderr == b""
    names = {line.split('","')[0].strip('"') for line in said.splitlines()[1:]}
    assert names >= BENCHMARKS
    counts = {name: row for name, row in node.info("commandstats").items() if not name.startswith("cmdstat_client")}
    assert sum(row["failed_calls"] + row["rejected_calls"] for row in counts.values()) == 0


def test_values_keep_their_types(client: redis.Redis) -> None:
    """redis-py decodes each type's replies, in both protocols alike."""
    assert client.set("s", "é")
    assert client.get("s") == "é"
    assert client.rpush("l", 1, 2, 3) == 3
    assert client.lrange("l", 0, -1) == ["1", "2", "3"]
    assert client.hset("h", mapping={"a": 1, "b": 2}) == 2
    assert client.hgetall("h") == {"a": "1", "b": "2"}
    assert client.sadd("set", "x", "y") == 2
    assert client.smembers("set") == {"x", "y"}
    assert client.zadd("z", {"a": 1.5, "b": 2}) == 2
    assert [tuple(pair) for pair in client.zrange("z", 0, -1, withscores=True)] == [("a", 1.5), ("b", 2.0)]
    assert client.zscore("z", "a") == 1.5
    assert client.zincrby("z", 1, "a") == 2.5
    assert client.incrbyfloat("f", 0.5) == 0.5
    assert client.type("z") == "zset"
    assert client.expire("s", 100)
    assert 95 < client.ttl("s") <= 100
    assert client.exists("s", "l", "none") == 2
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert client.command_count() > 200
    assert client.info("server")["redis_mode"] == "standalone"
    assert client.time()[0] > 1_600_000_000
    assert client.object("encoding", "l") == "quicklist"
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.incr("l")


def test_pipelines_and_transactions(client: redis.Redis) -> None:
    """Pipelines return replies in order, errors in their places; MULTI is atomic; WATCH sees a change."""
    with client.pipeline(transaction=False) as pipe:
        for i in range(1000):
            pipe.rpush("l", i)
        assert pipe.execute() == list(range(1, 1001))
    with client.pipeline() as pipe:
        pipe.set("a", 1).incr("a").incr("l").get("a")
        first, second, third, fourth = pipe.execute(raise_on_error=False)
    assert (first, second, fourth) == (True, 2, "2")
    assert isinstance(third, redis.ResponseError)
    with client.pipeline() as pipe:
        pipe.watch("a")
        client.set("a", 5)
        pipe.multi()
        pipe.set("a", 6)
        with pytest.raises(redis.WatchError):
            pipe.execute()

    def double(pipe: redis.client.Pipeline) -> None:
        value = int(pipe.get("a"))
        pipe.multi()
        pipe.set("a", value * 2)

    assert client.transaction(double, "a") == [True]
    assert client.get("a") == "10"


def test_pubsub(client: redis.Redis) -> None:
    """Channels and patterns deliver, while RESP3's subscriber may also ask."""
    with client.pubsub() as ear:
        ear.subscribe("news")
        ear.psubscribe("n*", "other.?")
        kinds = [ear.get_message(timeout=5)["type"] for _ in range(3)]
        assert kinds == ["subscribe", "psubscribe", "psubscribe"]
        assert client.publish("news", "hello") == 2
        got = [ear.get_message(timeout=5) for _ in range(2)]
        assert [(m["type"], m["pattern"], m["channel"], m["data"]) for m in got] == [
            ("message", None, "news", "hello"),
            ("pmessage", "n*", "news", "hello"),
        ]
        assert client.pubsub_channels() == ["news"]
        assert client.pubsub_numpat() == 2
        assert [tuple(pair) for pair in client.pubsub_numsub("news")] == [("news", 1)]
        ear.unsubscribe()
        ear.punsubscribe()
        wait_until(lambda: client.pubsub_numpat() == 0)
        wait_until(lambda: client.publish("news", "nobody") == 0)


def test_pubsub_thread(client: redis.Redis) -> None:
    """redis-py's listening thread receives messages by handler and ends."""
    got: list[str] = []
    ear = client.pubsub(ignore_subscribe_messages=True)
    ear.subscribe(room=lambda message: got.append(message["data"]))
    thread = ear.run_in_thread(sleep_time=0.05)
    wait_until(lambda: client.publish("room", "hi") == 1)
    wait_until(lambda: "hi" in got)
    thread.stop()
    thread.join(5)
    ear.close()


def test_locks_and_scans(client: redis.Redis) -> None:
    """redis-py's Lock (which runs scripts) excludes, extends and releases; the scan iterators see everything."""
    with client.lock("lock", timeout=20) as lock:
        assert not client.lock("lock").acquire(blocking=False)
        assert lock.extend(10)
        assert lock.owned()
    assert client.exists("lock") == 0
    client.mset({f"k{i}": i for i in range(1000)})
    assert len(set(client.scan_iter(count=50))) == 1000
    assert len(list(client.scan_iter(match="k99*"))) == 11
    client.hset("h", mapping={str(i): i for i in range(700)})
    assert len(dict(client.hscan_iter("h"))) == 700
    client.sadd("s", *range(700))
    assert len(set(client.sscan_iter("s"))) == 700
    client.zadd("z", {str(i): i for i in range(300)})
    assert len(list(client.zscan_iter("z"))) == 300


def test_blocking_pops(client: redis.Redis, node: Server) -> None:
    """Blocking pops wait for another client's push, and give up when their time is over."""
    got: list[object] = []
    waiter = threading.Thread(target=lambda: got.append(client.blpop(["q1", "q2"], timeout=15)))
    waiter.start()
    wait_until(lambda: node.info("clients")["blocked_clients"] == 1)
    node.command("RPUSH", "q2", "job")
    waiter.join(10)
    assert [list(pair) for pair in got] == [["q2", "job"]]  # type: ignore[call-overload]
    assert client.brpop("q1", timeout=0.05) is None
    assert client.bzpopmin("none", timeout=0.05) is None
    assert client.blmove("none", "to", 0.05) is None


def test_unix_socket_and_names(node: Server) -> None:
    """A unix socket serves like TCP; a client's name and library are set on connecting."""
    with redis.Redis(unix_socket_path=str(node.unix), client_name="me", protocol=3, db=2) as client:  # type: ignore[attr-defined]
        assert client.ping()
        assert client.client_getname() in (b"me", "me")
        info = client.client_info()
        assert info["db"] in (2, "2")
        assert str(node.unix) in info["laddr"]  # type: ignore[attr-defined]


def test_connection_pool_shared_by_threads(node: Server) -> None:
    """Many threads share a pool's connections, each getting its own replies."""
    with node.client(decode_responses=True, max_connections=20) as client:
        wrong: list[str] = []

        def work(number: int) -> None:
            for i in range(50):
                text = f"{number}:{i}"
                if client.echo(text) != text or client.incr(f"n{number}") != i + 1:
                    wrong.append(text)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(15)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert wrong == []


@pytest.mark.parametrize("protocol", [2, 3])
async def test_asyncio(node: Server, protocol: int) -> None:
    """redis-py's asyncio client: pipelines, optimistic transactions, pub/sub, locks, scans, blocking pops."""
    client = node.async_client(protocol=protocol, decode_responses=True)
    try:
        assert await client.set("a", 1, ex=100)
        assert sorted(await asyncio.gather(*(client.incr("n") for _ in range(50)))) == list(range(1, 51))
        async with client.pipeline(transaction=True) as pipe:
            assert await pipe.incr("a").hset("h", "f", "v").hgetall("h").execute() == [2, 1, {"f": "v"}]
        async with client.pipeline() as pipe:
            await pipe.watch("a")
            await client.incr("a")
            pipe.multi()
            pipe.incr("a")
            with pytest.raises(redis.WatchError):
                await pipe.execute()
        async with client.pubsub() as ear:
            await ear.psubscribe("ch.*")
            assert (await ear.get_message(timeout=5))["type"] == "psubscribe"
            assert await client.publish("ch.1", "x") == 1
            message = await ear.get_message(timeout=5)
            assert (message["type"], message["channel"], message["data"]) == ("pmessage", "ch.1", "x")
        async with client.lock("lock", timeout=10):
            assert await client.exists("lock")
        await client.mset({f"k{i}": i for i in range(200)})
        assert len([key async for key in client.scan_iter(match="k*")]) == 200
        waiting = asyncio.create_task(client.blpop(["jobs"], timeout=15))

        async def blocked() -> bool:
            return bool((await client.info("clients"))["blocked_clients"] == 1)

        await wait_until_async(blocked)
        await client.rpush("jobs", "j")
        assert list(await waiting) == ["jobs", "j"]
    finally:
        await client.aclose()


def test_wrong_password_and_retry() -> None:
    """A client with the wrong password is told so; with the right one, by URL too, it is let in."""
    with start_kvserver(requirepass="secret") as node:
        with pytest.raises(redis.AuthenticationError), node.client(password="wrong") as client:
            client.ping()
        for protocol in (2, 3):
            with redis.Redis.from_url(f"redis://:secret@{node.host}:{node.port}/1?protocol={protocol}") as client:
                assert client.ping()
        assert cli(node, "-a", "secret", "--no-auth-warning", "PING") == "PONG\n"


def test_socket_path_is_removed_at_the_end(tmp_path: Path) -> None:
    """The unix socket's file goes with the node."""
    path = tmp_path / "kv.sock"
    with start_kvserver(unixsocket=path):
        assert path.exists()
    assert not path.exists()
