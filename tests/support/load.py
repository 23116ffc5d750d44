"""A mixed load of writes on all types, the same for the same seed: what a replica has to be able to follow.

A line of `SYNTAX` is a request: a word that `KINDS` names is drawn from there, any other stands for itself,
`A|B` is either, brackets enclose what may be left out, `+` repeats one to three times, `*` up to forty. Requests
that fail (a wrong type, say) are part of the load. Left out is what Redis itself lets its replicas differ in:
XREADGROUP of an id counts a delivery only where it was read.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable
from typing import Self

import redis

from support.servers import Server

DATABASES = 4
BATCH = 12
PAUSE_S = 0.008
"""Between two batches of a client in the background, so that a slow replica can follow."""
_SHORT_MS = 400
_LONG_S = 100_000

SYNTAX = """
SET str value
SET str value PX short
SET str value EX long
SET str value PXAT soon
SET str value EXAT 99999999999 NX|XX|GET
SET str value KEEPTTL|GET
SETEX str long value
PSETEX str short value
SETNX str value
GETSET str value
GETDEL str
GETEX str EX long
GETEX str PX short
GETEX str PERSIST
APPEND str value
SETRANGE str small value
INCR num
DECRBY num int
INCRBY num int
INCRBYFLOAT num float
MSET str value str value num int
MSETNX str value any value
LPUSH list el*
RPUSH list el+
LPUSHX list el
LPOP list [small]
RPOP list small
LSET list index el
LREM list index el
LTRIM list 0 60
LINSERT list BEFORE|AFTER el el
LMOVE list list LEFT|RIGHT LEFT|RIGHT
RPOPLPUSH list list
LMPOP 2 list list LEFT|RIGHT COUNT small
HSET hash field value
HSET hash field value field int field float
HMSET hash field value field value
HSETNX hash field value
HDEL hash field+
HINCRBY hash field int
HINCRBYFLOAT hash field float
SADD set member*
SADD set int*
SREM set member+
SPOP set
SPOP set small
SMOVE set set member
SINTERSTORE any set set
SUNIONSTORE set set set
SDIFFSTORE set set set
ZADD zset float member float member
ZADD zset NX|XX|GT|LT CH int member
ZADD zset INCR float member
ZINCRBY zset float member
ZREM zset member+
ZPOPMIN zset [small]
ZPOPMAX zset
ZMPOP 2 zset zset MIN|MAX COUNT small
ZREMRANGEBYRANK zset 0 small
ZREMRANGEBYSCORE zset int (5
ZREMRANGEBYLEX zset [a [c
ZRANGESTORE zset zset 0 50
ZRANGESTORE zset zset -inf int BYSCORE LIMIT 0 small
ZUNIONSTORE zset 3 zset set zset WEIGHTS float float float AGGREGATE SUM|MIN|MAX
ZINTERSTORE zset 2 zset zset
ZDIFFSTORE zset 2 zset set
GEOADD geo longitude latitude member longitude latitude member
GEOSEARCHSTORE geo geo FROMLONLAT 13 38 BYRADIUS 3000 km ASC COUNT 20
GEOSEARCHSTORE zset geo FROMLONLAT 13 38 BYBOX 4000 4000 km STOREDIST
GEORADIUS geo 13 38 2000 km STORE geo
SETBIT bits bit 0|1
BITOP AND|OR|XOR bits bits bits
BITOP NOT bits bits
BITFIELD bits SET u8 small int OVERFLOW SAT|WRAP|FAIL INCRBY i5 #3 int
PFADD hll member*
PFADD hll int+
PFMERGE hll hll hll
PFCOUNT hll
PFCOUNT hll hll
XADD stream * field value
XADD stream * field value field value
XADD stream MAXLEN ~ 60 * field value
XADD stream MAXLEN = 20 * field int
XADD stream MINID ~ 5 LIMIT 10 * field int
XADD stream NOMKSTREAM * field int
XTRIM stream MAXLEN ~ small
XTRIM stream MINID = 1-1
XSETID stream 9999999999999-1 [ENTRIESADDED 5000]
XGROUP CREATE stream group 0 MKSTREAM
XGROUP CREATE stream group $ ENTRIESREAD small
XGROUP SETID stream group 0|$
XGROUP DESTROY stream group
XGROUP CREATECONSUMER stream group consumer
XGROUP DELCONSUMER stream group consumer
XREADGROUP GROUP group consumer COUNT small STREAMS stream >
XREADGROUP GROUP group consumer COUNT small NOACK STREAMS stream >
XREADGROUP GROUP group consumer COUNT small STREAMS stream stream > >
XAUTOCLAIM stream group consumer 0 - COUNT small
XAUTOCLAIM stream group consumer 0 - JUSTID
SORT list ALPHA STORE list
SORT set ALPHA DESC LIMIT 0 small STORE list
SORT list BY nosort GET # GET str STORE list
DEL any+
UNLINK any any
EXPIRE any long [NX|XX|GT|LT]
PEXPIRE any short
EXPIRE any -1
EXPIREAT any 99999999999
PEXPIREAT any soon
PERSIST any
RENAME any any
RENAMENX any any
COPY any any [REPLACE]
COPY any any DB db REPLACE
MOVE any db
EVAL write 1 str value
EVAL several 3 list set zset member
EVAL chance 2 set hash
EVAL halfway 2 str list value
EVAL elsewhere 1 str db value
EVAL timed 1 str short
EVALSHA digest 1 num
FCALL bump 1 hash field
FCALL push 1 stream value
FCALL_RO peek 1 hash
FUNCTION LOAD REPLACE library
FUNCTION LOAD otherlibrary
FUNCTION DELETE other
PUBLISH channel value
"""
RARE = """
SWAPDB db db
FLUSHDB
FLUSHDB ASYNC
FUNCTION FLUSH
SCRIPT FLUSH
"""
BLOCKING = """
BLPOP list list wait
BRPOP list wait
BLMOVE list list LEFT|RIGHT LEFT|RIGHT wait
BRPOPLPUSH list list wait
BLMPOP wait 2 list list LEFT|RIGHT COUNT small
BZPOPMIN zset zset wait
BZPOPMAX zset wait
BZMPOP wait 2 zset zset MIN|MAX COUNT small
XREADGROUP GROUP group consumer COUNT small BLOCK 20 STREAMS stream >
"""

INCR_SCRIPT = b"return redis.call('incrby', KEYS[1], 3)"
_LIBRARY = b"""#!lua name=load
redis.register_function('bump', function(keys, args)
  return redis.call('hincrby', keys[1], args[1], %d) end)
redis.register_function('push', function(keys, args)
  redis.call('set', 'pushed', args[1])
  return redis.call('xadd', keys[1], '*', 'from', 'function', 'value', args[1]) end)
redis.register_function{function_name='peek', flags={'no-writes'}, callback=function(keys)
  return redis.call('hlen', keys[1]) end}
"""
TEXTS: dict[str, bytes] = {
    "channel": b"news",
    "wait": b"0.02",
    "digest": hashlib.sha1(INCR_SCRIPT).hexdigest().encode(),
    "otherlibrary": b"#!lua name=other\nredis.register_function('another', function() return 1 end)",
    "write": b"redis.call('append', KEYS[1], ARGV[1]) return redis.call('strlen', KEYS[1])",
    "several": b"redis.call('rpush', KEYS[1], ARGV[1]) redis.call('sadd', KEYS[2], ARGV[1], 7)"
    b" redis.call('zadd', KEYS[3], #ARGV[1], ARGV[1]) return redis.pcall('incr', KEYS[1])",
    "chance": b"redis.call('spop', KEYS[1], 2) redis.call('hset', KEYS[2], 'r', math.random(100))"
    b" return redis.call('hset', KEYS[2], 't', redis.call('time')[2])",
    "halfway": b"redis.call('set', KEYS[1], ARGV[1]) redis.call('lpush', KEYS[2], ARGV[1]) return redis.call('what')",
    "elsewhere": b"redis.call('select', ARGV[1]) return redis.call('set', KEYS[1], ARGV[2])",
    "timed": b"redis.call('setex', KEYS[1], 50000, 'x') return redis.call('pexpire', KEYS[1], ARGV[1])",
}
"""Words that always stand for the same text."""
_LETTERS = {
    "str": b"s", "num": b"n", "list": b"l", "hash": b"h", "set": b"e", "zset": b"z", "geo": b"g", "bits": b"b",
    "hll": b"p", "stream": b"x",
}  # fmt: skip
_MEMBERS = [b"a", b"b", b"c", b"member:1", b"7", b"-12", b"3.25", b"\x00\xff\r\n", b"m" * 80]


def _any_key(rng: random.Random) -> bytes:
    return rng.choice(list(_LETTERS.values())) + b"%d" % rng.randrange(4)


def _member(rng: random.Random) -> bytes:
    return rng.choice(_MEMBERS) if rng.random() < 0.5 else b"m%d" % rng.randrange(2_000)


def _value(rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        return b"%d" % rng.randrange(-(10**6), 10**6)
    return b"repeated" * rng.randrange(30) if rng.random() < 0.1 else rng.randbytes(rng.randrange(80))


def _between(low: int, high: int) -> Callable[[random.Random], bytes]:
    return lambda rng: b"%d" % rng.randrange(low, high)


KINDS: dict[str, Callable[[random.Random], bytes]] = {
    "any": _any_key,
    "value": _value,
    "el": _member,
    "member": _member,
    "field": lambda rng: rng.choice([b"f", b"g", b"counter"]) if rng.random() < 0.5 else _member(rng),
    "int": _between(-1000, 1000),
    "float": lambda rng: repr(rng.randrange(-1000, 1000) / 7).encode(),
    "short": _between(1, _SHORT_MS),
    "long": _between(_LONG_S, 2 * _LONG_S),
    "soon": lambda rng: b"%d" % (time.time() * 1000 + rng.randrange(_SHORT_MS)),
    "small": _between(1, 12),
    "index": _between(-10, 10),
    "bit": _between(0, 3000),
    "longitude": lambda rng: repr(rng.uniform(-30, 40)).encode(),
    "latitude": lambda rng: repr(rng.uniform(20, 60)).encode(),
    "group": lambda rng: b"g%d" % rng.randrange(2),
    "consumer": lambda rng: rng.choice([b"alice", b"bob", b"carol"]),
    "db": _between(0, DATABASES),
    "library": lambda rng: _LIBRARY % rng.randrange(5),
}

_LINES, _RARE_LINES, _BLOCKING_LINES = (text.strip().splitlines() for text in (SYNTAX, RARE, BLOCKING))


def _expand(rng: random.Random, words: list[str]) -> list[bytes]:
    line: list[bytes] = []
    for at, word in enumerate(words):
        if word.startswith("["):
            rest = " ".join(words[at:])
            inside, _, behind = rest[1:].partition("]")
            if rng.random() < 0.5:
                line += _expand(rng, inside.split())
            return line + _expand(rng, behind.split())
        times = rng.randrange(1, 4) if word.endswith("+") else 1
        times = rng.randrange(1, 41) if word.endswith("*") and word != "*" else times
        choice = rng.choice((word.rstrip("+*") or word).split("|"))
        line += [_word(rng, choice) for _ in range(times)]
    return line


def _word(rng: random.Random, word: str) -> bytes:
    if word in _LETTERS:
        return _any_key(rng) if rng.random() < 0.03 else _LETTERS[word] + b"%d" % rng.randrange(4)
    if word in KINDS:
        return KINDS[word](rng)
    return TEXTS.get(word) or word.encode()


def request(rng: random.Random) -> list[bytes]:
    """One request that answers at once."""
    lines = _RARE_LINES if rng.random() < 0.002 else _LINES
    return _expand(rng, rng.choice(lines).split())


def blocking_request(rng: random.Random) -> list[bytes]:
    """One request that may wait for some ten milliseconds."""
    return _expand(rng, rng.choice(_BLOCKING_LINES).split())


def batch(rng: random.Random) -> list[list[bytes]]:
    """Some requests for one database, now and then as a transaction."""
    requests = [request(rng) for _ in range(BATCH)]
    if rng.random() < 0.2:
        requests = [[b"MULTI"], *requests, [b"EXEC"] if rng.random() < 0.9 else [b"DISCARD"]]
    return [[b"SELECT", b"%d" % rng.randrange(DATABASES)], *requests]


class Client:
    """A connection that sends batches; what is answered by an error is counted, not raised."""

    def __init__(self, server: Server, seed: int) -> None:
        self.rng = random.Random(seed)
        self.answered = 0
        self.refused = 0
        self._link = redis.Connection(host=server.host, port=server.port, socket_timeout=20.0, protocol=2)

    def send(self, requests: list[list[bytes]]) -> list[object]:
        """Send all at once; their replies."""
        self._link.send_packed_command(self._link.pack_commands(requests), check_health=False)
        return [self._reply() for _ in requests]

    def _reply(self) -> object:
        self.answered += 1
        try:
            return self._link.read_response()
        except redis.ResponseError as failure:
            self.refused += 1
            return failure

    def write(self) -> None:
        """One batch; now and then a value is put under another key by its payload."""
        self.send(batch(self.rng))
        payload = self.send([[b"DUMP", _any_key(self.rng)]])[0]
        if isinstance(payload, bytes):
            ttl = self.rng.choice([b"0", KINDS["short"](self.rng), b"100000000"])
            self.send([[b"RESTORE", _any_key(self.rng), ttl, payload, b"REPLACE"]])

    def wait(self) -> None:
        """One request that may have to wait for another client's write."""
        self.send([[b"SELECT", KINDS["db"](self.rng)], blocking_request(self.rng)])

    def close(self) -> None:
        """Hang up."""
        self._link.disconnect()


def write(server: Server, seed: int, batches: int) -> None:
    """Write so many batches."""
    client = Client(server, seed)
    client.send([[b"SCRIPT", b"LOAD", INCR_SCRIPT], [b"FUNCTION", b"LOAD", b"REPLACE", KINDS["library"](client.rng)]])
    for _ in range(batches):
        client.write()
    client.close()


class Background:
    """Clients that write, and clients that wait for their writes, until the context is left."""

    def __init__(self, server: Server, seed: int, writers: int = 2, waiting: int = 2) -> None:
        self.clients = [Client(server, seed * 1000 + n) for n in range(writers + waiting)]
        self._done = threading.Event()
        self._failures: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._repeat, args=(client, client.write if n < writers else client.wait))
            for n, client in enumerate(self.clients)
        ]

    def _repeat(self, client: Client, work: Callable[[], None]) -> None:
        try:
            while not self._done.wait(PAUSE_S):
                work()
        except BaseException as failure:
            self._failures.append(failure)
        finally:
            client.close()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]
