"""Two servers given the same commands, and what counts as the same answer."""

from __future__ import annotations

from typing import Any

import redis
from redis.connection import Connection

UNORDERED = frozenset(
    b"SMEMBERS SINTER SUNION SDIFF SPOP SRANDMEMBER HKEYS HVALS HGETALL "
    b"HRANDFIELD ZRANDMEMBER HSCAN SSCAN ZSCAN".split()
)
"""Commands whose replies have no order that Redis promises."""
PAIRED = frozenset(b"HGETALL HSCAN ZSCAN HRANDFIELD ZRANDMEMBER".split())
"""Those which in RESP2 lay pairs out flat, at least with their option."""


class Peer:
    """One connection to one server."""

    def __init__(self, port: int, protocol: int) -> None:
        self.connection = Connection(port=port, protocol=protocol, socket_timeout=20.0)
        self.connection.connect()

    def run(self, commands: list[list[bytes]]) -> list[Any]:
        """Send all commands at once; their replies, errors as `ResponseError`s."""
        self.connection.send_packed_command(self.connection.pack_commands(commands))
        return [self.reply() for _ in commands]

    def reply(self) -> Any:
        """Read one reply."""
        try:
            return self.connection.read_response(disable_decoding=True)
        except redis.ResponseError as error:
            return error

    def close(self) -> None:
        """End the connection."""
        self.connection.disconnect()


def comparable(line: list[bytes], reply: Any) -> Any:
    """Return a reply in a form that is equal for answers that mean the same."""
    name = line[0].upper()
    if isinstance(reply, Exception):
        return type(reply).__name__, str(reply)
    if name in (b"TTL", b"PTTL") and isinstance(reply, int):
        return reply if reply <= 0 else (reply + 25) // 1000
    if name in (b"SORT", b"SORT_RO") and isinstance(reply, list) and unsorted(line):
        return len(reply)
    if name == b"EXEC" and isinstance(reply, list):
        return [type(item).__name__ if isinstance(item, list) else comparable([b"-"], item) for item in reply]
    if name == b"OBJECT" and reply == b"int":
        return b"embstr"  # see `state`
    if name in UNORDERED:
        return unordered(reply, paired=name in PAIRED and (b"WITH" in line[-1].upper() or b"RAND" not in name))
    if isinstance(reply, dict):
        return sorted(reply.items(), key=repr)
    if isinstance(reply, list):
        return [comparable([b"-"], item) for item in reply]
    return reply if not isinstance(reply, float) else repr(reply)


def unsorted(line: list[bytes]) -> bool:
    """Whether a SORT asks not to sort: of a set it may then return anything."""
    words = [word.upper() for word in line]
    return b"BY" in words[:-1] and b"*" not in line[words.index(b"BY") + 1]


def unordered(reply: Any, paired: bool) -> Any:
    """Sort a reply; flat pairs stay pairs."""
    if isinstance(reply, dict):
        return sorted(reply.items())
    if not isinstance(reply, list | set):
        return reply
    items = list(reply)
    if len(items) == 2 and isinstance(items[1], list):  # a cursor and what it found
        return [items[0], unordered(items[1], paired)]
    if paired and items and not isinstance(items[0], list):
        items = [tuple(items[i : i + 2]) for i in range(0, len(items), 2)]
    return sorted(items, key=repr)


READERS: dict[bytes, list[list[bytes]]] = {
    b"string": [[b"GET"]],
    b"list": [[b"LRANGE", b"0", b"-1"]],
    b"set": [[b"SMEMBERS"]],
    b"hash": [[b"HGETALL"]],
    b"zset": [[b"ZRANGE", b"0", b"-1", b"WITHSCORES"]],
    b"stream": [[b"XRANGE", b"-", b"+"], [b"XREVRANGE", b"+", b"-"], [b"XINFO GROUPS"]],
    b"none": [],
}


def state(peer: Peer, keys: list[bytes]) -> dict[bytes, Any]:
    """Return what the keys hold, how it is encoded, and whether it expires."""
    found: dict[bytes, Any] = {}
    for key, kind in zip(keys, peer.run([[b"TYPE", key] for key in keys]), strict=True):
        lines = [[*line[0].split(), key, *line[1:]] for line in READERS[kind]]
        lines += [[b"OBJECT", b"ENCODING", key], [b"TTL", key]]
        # A number that INCRBYFLOAT or APPEND made isn't an "int" to Redis; it is to us.
        replies = [b"embstr" if reply == b"int" else reply for reply in peer.run(lines)]
        found[key] = [kind, *map(comparable, lines, replies)]
    return found
