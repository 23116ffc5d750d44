"""Command lines as Hypothesis draws them, from a table of their syntax.

A line of `SYNTAX` is a command and its arguments: a lower-case word names a kind of argument (`KINDS`), an
upper-case one stands for itself, `A|B` is either, brackets enclose what may be left out, `+` repeats one to
three times. Now and then a line is spoiled, so that the order of the argument checks is compared too.
"""

from __future__ import annotations

from hypothesis import strategies as st

SYNTAX = """
SET nkey num|word [NX|XX] [GET] [EX seconds]
SET nkey num [PX far]
SET nkey num [KEEPTTL] [GET]
GET nkey
GETDEL nkey
GETSET nkey num
GETEX nkey [EX seconds]
GETEX nkey PXAT far
GETEX nkey [PERSIST]
SETNX nkey num
SETEX nkey seconds num
APPEND nkey word
STRLEN nkey
GETRANGE nkey index index
SETRANGE nkey small word
INCR nkey
DECRBY nkey int
INCRBY nkey int
INCRBYFLOAT nkey decimal
MGET anykey+
MSET nkey num
MSETNX nkey num anykey num
LCS nkey nkey [LEN|IDX]
DEL anykey+
UNLINK anykey
EXISTS anykey+
TYPE anykey
TOUCH anykey
RENAME anykey anykey
RENAMENX anykey anykey
COPY anykey anykey [REPLACE]
EXPIRE anykey seconds [NX|XX|GT|LT]
PEXPIREAT anykey future
PERSIST anykey
TTL anykey
OBJECT ENCODING anykey
LPUSH lkey el+
RPUSH lkey el+
LPUSHX lkey el
RPUSHX lkey el
LPOP lkey [small]
RPOP lkey [small]
LLEN lkey
LINDEX lkey index
LSET lkey index el
LRANGE lkey index index
LREM lkey index el
LTRIM lkey index index
LINSERT lkey BEFORE|AFTER el el
LPOS lkey el [RANK index] [COUNT small] [MAXLEN small]
LMOVE lkey lkey LEFT|RIGHT LEFT|RIGHT
RPOPLPUSH lkey lkey
LMPOP lkeys LEFT|RIGHT [COUNT small]
BLPOP lkey lkey TIMEOUT
BRPOP lkey TIMEOUT
BLMOVE lkey lkey LEFT|RIGHT LEFT|RIGHT TIMEOUT
BRPOPLPUSH lkey lkey TIMEOUT
BLMPOP TIMEOUT lkeys LEFT|RIGHT [COUNT small]
HSET hkey field value field value
HSET hkey field value
HMSET hkey field value
HSETNX hkey field value
HGET hkey field
HMGET hkey field+
HGETALL hkey
HKEYS hkey
HVALS hkey
HLEN hkey
HEXISTS hkey field
HDEL hkey field+
HINCRBY hkey field int
HINCRBYFLOAT hkey field decimal
HSTRLEN hkey field
HRANDFIELD hkey ZERO [WITHVALUES]
HRANDFIELD hkey MANY [WITHVALUES]
HSCAN hkey ZERO [MATCH pattern] COUNT MANY
SADD skey member+
SREM skey member+
SMEMBERS skey
SISMEMBER skey member
SMISMEMBER skey member+
SCARD skey
SPOP skey MANY
SPOP skey ZERO
SRANDMEMBER skey MANY
SRANDMEMBER skey ZERO
SMOVE skey skey member
SINTER skey+
SINTERSTORE anykey skey+
SINTERCARD skeys [LIMIT small]
SUNION skey+
SUNIONSTORE anykey skey+
SDIFF skey+
SDIFFSTORE anykey skey+
SSCAN skey ZERO [MATCH pattern] COUNT MANY
ZADD zkey [NX|XX] [GT|LT] [CH] [INCR] score member
ZADD zkey [NX|XX] [GT|LT] [CH] score member score member
ZADD zkey score member
ZADD ykey ZERO member
ZREM ykey member
ZINCRBY zkey score member
ZREM zkey member+
ZREMRANGEBYRANK zkey index index
ZREMRANGEBYSCORE zkey bound bound
ZREMRANGEBYLEX ykey lex lex
ZRANGE zkey index index [REV] [WITHSCORES]
ZRANGE zkey bound bound BYSCORE [REV] [LIMIT index index] [WITHSCORES]
ZRANGE ykey lex lex BYLEX [REV] [LIMIT index index]
ZRANGE zkey index index [BYSCORE|BYLEX] [REV] [LIMIT index index] [WITHSCORES]
ZRANGESTORE anykey zkey index index [REV]
ZRANGESTORE anykey zkey bound bound BYSCORE [REV] [LIMIT index index]
ZREVRANGE zkey index index [WITHSCORES]
ZRANGEBYSCORE zkey bound bound [WITHSCORES] [LIMIT index index]
ZREVRANGEBYSCORE zkey bound bound [WITHSCORES] [LIMIT index index]
ZRANGEBYLEX ykey lex lex [LIMIT index index]
ZREVRANGEBYLEX ykey lex lex [LIMIT index index]
ZCOUNT zkey bound bound
ZLEXCOUNT ykey lex lex
ZCARD zkey
ZSCORE zkey member
ZMSCORE zkey member+
ZRANK zkey member
ZREVRANK zkey member
ZPOPMIN zkey [small]
ZPOPMAX zkey [small]
ZMPOP zkeys MIN|MAX [COUNT small]
BZPOPMIN zkey zkey TIMEOUT
BZPOPMAX zkey TIMEOUT
BZMPOP TIMEOUT zkeys MIN|MAX [COUNT small]
ZUNION zkeys [WITHSCORES]
ZUNION two zkey zkey WEIGHTS score score [AGGREGATE SUM|MIN|MAX] [WITHSCORES]
ZUNIONSTORE anykey zkeys [AGGREGATE SUM|MIN|MAX]
ZINTER two zkey zkey [WEIGHTS score score] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]
ZINTERSTORE anykey zkeys [AGGREGATE SUM|MIN|MAX]
ZINTERCARD zkeys [LIMIT small]
ZDIFF zkeys [WITHSCORES]
ZDIFFSTORE anykey zkeys
ZRANDMEMBER zkey ZERO [WITHSCORES]
ZRANDMEMBER zkey MANY [WITHSCORES]
ZSCAN zkey ZERO [MATCH pattern] COUNT MANY
SORT anykey ALPHA [LIMIT index index] [ASC|DESC] [GET #] [GET word] [STORE anykey]
SORT lkey [BY word] [ASC|DESC] [LIMIT index index] [STORE anykey]
SORT zkey BY word [ASC|DESC] [LIMIT index index]
SORT_RO skey ALPHA
SETBIT nkey bit ON
GETBIT nkey bit
BITCOUNT nkey
BITCOUNT nkey index index [BIT|BYTE]
BITPOS nkey ON [index]
BITPOS nkey ON index index [BIT|BYTE]
BITOP AND|OR|XOR|NOT anykey nkey+
BITFIELD nkey GET width place [OVERFLOW WRAP|SAT|FAIL] INCRBY width place int [SET width place int]
BITFIELD_RO nkey GET width place
PFADD pkey el+
PFADD pkey
PFCOUNT pkey+
PFMERGE pkey pkey+
PFDEBUG ENCODING|DECODE pkey
GEOADD zkey [NX|XX] [CH] longitude latitude member
GEODIST zkey member member [unit]
GEOHASH zkey member+
GEOPOS zkey member+
GEOSEARCH zkey FROMMEMBER member BYRADIUS far_away unit [ASC|DESC] [WITHCOORD] [WITHHASH] [WITHDIST]
GEOSEARCH zkey FROMLONLAT longitude latitude BYBOX far_away far_away unit ASC [COUNT small] [WITHDIST]
GEOSEARCHSTORE anykey zkey FROMLONLAT longitude latitude BYRADIUS far_away unit [ASC] [STOREDIST]
GEORADIUS zkey longitude latitude far_away unit [WITHDIST] [STORE anykey]
GEORADIUS_RO zkey longitude latitude far_away unit [ASC]
GEORADIUSBYMEMBER zkey member far_away unit [STOREDIST anykey]
GEORADIUSBYMEMBER_RO zkey member far_away unit [COUNT small]
XADD xkey newid field value
XADD xkey newid field value field value
XADD xkey [NOMKSTREAM] [MAXLEN small] newid field value
XADD xkey MAXLEN|MINID = id newid field value
XADD xkey MAXLEN ~ small [LIMIT small] newid field value
XLEN xkey
XRANGE xkey edge edge [COUNT small]
XREVRANGE xkey edge edge [COUNT small]
XDEL xkey id+
XTRIM xkey MAXLEN|MINID [=|~] id [LIMIT small]
XSETID xkey newid [ENTRIESADDED small] [MAXDELETEDID id]
XREAD [COUNT small] STREAMS xkey id
XREAD BLOCK MS STREAMS xkey $
XREAD STREAMS xkey xkey id $
XGROUP CREATE xkey group id [MKSTREAM] [ENTRIESREAD small]
XGROUP CREATE xkey group $
XGROUP SETID xkey group id [ENTRIESREAD small]
XGROUP DESTROY xkey group
XGROUP CREATECONSUMER xkey group consumer
XGROUP DELCONSUMER xkey group consumer
XREADGROUP GROUP group consumer [COUNT small] [NOACK] STREAMS xkey >
XREADGROUP GROUP group consumer [BLOCK MS] STREAMS xkey >
XREADGROUP GROUP group consumer [COUNT small] STREAMS xkey id
XACK xkey group id+
XPENDING xkey group
XCLAIM xkey group consumer ZERO id id [FORCE] [JUSTID]
XCLAIM xkey group consumer small id [RETRYCOUNT small] [LASTID id]
XAUTOCLAIM xkey group consumer ZERO edge [COUNT small] [JUSTID]
XINFO GROUPS xkey
MULTI
EXEC
DISCARD
"""


def _kind(words: str) -> list[bytes]:
    return words.encode().split()


KEYS = _kind("n1 n2 l1 l2 s1 s2 h1 h2 z1 z2 x1 x2")


def _keys(own: str) -> list[bytes]:
    """Keys of one type most of the time, others now and then."""
    return _kind(f"{own}1 {own}1 {own}1 {own}1 {own}1 {own}2 {own}2 {own}2") + KEYS[::2]


KINDS: dict[str, list[bytes]] = {
    "anykey": KEYS,
    "nkey": _keys("n"),
    "lkey": _keys("l"),
    "hkey": _keys("h"),
    "skey": _keys("s"),
    "zkey": _keys("z"),
    "pkey": _kind("p1 p1 p1 p2 p2 n1"),
    "xkey": _kind("x1 x1 x1 x1 x1 x2 x2 l1"),
    "ykey": [b"y1"],  # all its scores are 0, as ranges by name want it
    "num": _kind("0 1 -7 12 9223372036854775807 3.5 010 1e3"),
    "word": [*_kind("a abc hello w_* h1->* h*->f nosort"), b""],
    "int": _kind("1 -1 5 9223372036854775807 -9223372036854775808 x 1.0"),
    "decimal": _kind("0.1 -0.25 3 1e2 10.5 abc inf"),
    "seconds": _kind("100 5000 0 -1 x 10000000000000000000"),
    "far": _kind("4102444800000 4102444800000 0 x"),
    "future": _kind("4102444800000 1 x"),
    "index": _kind("0 1 2 -1 -2 -3 5 100 -100 x"),
    "small": _kind("0 1 1 2 3 10 -1 x"),
    "two": [b"2"],
    "ZERO": [b"0"],
    "MANY": [b"1000"],
    "TIMEOUT": [b"0.001", b"0.001", b"0.001", b"-1", b"x"],
    "el": _kind("a b c a b 1 2 10"),
    "field": _kind("f g f g h 1"),
    "value": [*_kind("1 5 abc 3.25 x"), b"v" * 70],
    "member": [*_kind("a b c d 1 2 3 -4 10"), b"m" * 70, b""],
    "score": _kind("0 1 1 2 -1 2.5 0.1 inf -inf 1e20 x nan"),
    "bit": _kind("0 1 7 8 15 100 -1 x 4294967296"),
    "ON": _kind("1 1 0"),
    "MS": _kind("1 1 1 -1 x"),
    "width": _kind("u8 u8 i5 u1 i64 u63 u64 x"),
    "place": _kind("0 3 #1 #2 40 -1"),
    "longitude": _kind("13.361389 15.087269 -122.4 180 0 x"),
    "latitude": _kind("38.115556 37.502669 -85.05 0 86"),
    "unit": _kind("km km m mi ft parsec"),
    "far_away": _kind("200 1000 1 20000 -1 x"),
    "id": _kind("1 2 3 1-1 2-1 3-2 5 0 x"),
    "newid": _kind("1-* 2-* 3-* 4-* 4-1 5-* 6-* 7-* 0-0 1-1"),
    "edge": _kind("- + - + 1 (1-1 2 (3 x"),
    "group": _kind("g g g k"),
    "consumer": _kind("alice bob"),
    "bound": _kind("-inf +inf 0 1 2 (1 (2 (inf -1 3.5 x ("),
    "lex": _kind("- + [a (a [b (b [c (c [ x"),
    "pattern": _kind("* a* [a-c] ? f"),
}
RANDOM = frozenset(_kind("SPOP SRANDMEMBER HRANDFIELD ZRANDMEMBER"))
"""Commands that choose; here they are always asked for all or nothing, so that there is nothing to choose."""
JUNK = [*_kind("x 0 -1 WITHSCORES COUNT LIMIT NX GET 1_0 +1 l1"), b" 1", b""]


@st.composite
def command(draw: st.DrawFn) -> list[bytes]:
    """One command line."""
    words = draw(st.sampled_from(_LINES)).split()
    line = _expand(draw, words)
    spoil = draw(st.integers(0, 24))
    if spoil == 2:
        line.append(draw(st.sampled_from(JUNK)))
    elif line[0] in RANDOM:
        return line
    elif spoil == 1 and len(line) > 1:
        line.pop()
    elif spoil == 3 and len(line) > 1:
        line[draw(st.integers(1, len(line) - 1))] = draw(st.sampled_from(JUNK))
    return _finite(line)


def _finite(line: list[bytes]) -> list[bytes]:
    """Keep a spoiled line from waiting for ever."""
    if line[0].startswith(b"XREAD") and b"BLOCK" in line:
        return [b"1" if word == b"0" else word for word in line]
    if line[0].startswith(b"B") and line[0] not in (b"BITPOS", b"BITFIELD", b"BITCOUNT", b"BITOP", b"BITFIELD_RO"):
        return [b"0.001" if word == b"0" else word for word in line]
    return line


def _expand(draw: st.DrawFn, words: list[str]) -> list[bytes]:
    """Turn words of a syntax line into arguments."""
    line: list[bytes] = []
    while words:
        word, *words = words
        if word.startswith("["):
            group = [word[1:]]
            while not group[-1].endswith("]"):
                word, *words = words
                group.append(word)
            group[-1] = group[-1][:-1]
            if draw(st.booleans()):
                line += _expand(draw, group)
        elif word.endswith("+"):
            line += draw(st.lists(st.sampled_from(KINDS[word[:-1]]), min_size=1, max_size=3))
        elif word.endswith("keys"):
            keys = draw(st.lists(st.sampled_from(KINDS[word[:-1]]), min_size=1, max_size=3))
            line += [b"%d" % len(keys), *keys]
        else:
            choice = draw(st.sampled_from(word.split("|")))
            line.append(draw(st.sampled_from(KINDS[choice])) if choice in KINDS else choice.encode())
    return line


_LINES = SYNTAX.strip().splitlines()

PRELUDE: list[list[bytes]] = [
    line.encode().split()
    for line in (
        "RPUSH l1 a b c a 1 2 10",
        "SADD s1 a b c 1 2",
        "SADD s2 1 2 3",
        "HSET h1 f 1 g 2.5 h abc",
        "ZADD z1 1 a 1 b 2 c 3 d",
        "ZADD z2 0 a 0 b 0 c 0 d",
        "ZADD y1 0 a 0 aa 0 b 0 c",
        "SET n1 12",
        "PFADD p1 a b c",
        "XADD x1 1-1 f 1",
        "XADD x1 2-1 f 2 g x",
        "XGROUP CREATE x1 g 0",
        "XREADGROUP GROUP g alice COUNT 1 STREAMS x1 >",
    )
]
"""What each sequence begins with, so that it soon meets values of every type."""
