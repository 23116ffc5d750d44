"""Publish and subscribe: channels, patterns, shard channels, keyspace notifications.

The engine keeps, for each channel and pattern, its sessions in the order of subscription; a session keeps its
own channels.  Messages to RESP3 clients are pushes, to RESP2 clients arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvserver.engine.run.session import ATT_SUBSCRIBED, Session
from kvserver.wire.glob import matcher
from kvserver.wire.resp import bulk, integer, null, push_header

if TYPE_CHECKING:
    from kvserver.engine.run.executor import Engine

Registry = dict[bytes, dict[Session, None]]


def publish(engine: Engine, channel: bytes, message: bytes) -> int:
    """Send a message to all who listen to `channel`; return how many they are."""
    n = _send(engine.channels, b"message", channel, message)
    for pattern, sessions in list(engine.patterns.items()):
        if matcher(pattern)(channel):
            body = bulk(b"pmessage") + bulk(pattern) + bulk(channel) + bulk(message)
            for c in list(sessions):
                c.send(push_header(4, c.resp) + body)
                n += 1
    return n


def publish_shard(engine: Engine, channel: bytes, message: bytes) -> int:
    """Send a message to all who listen to a shard channel."""
    return _send(engine.shard_channels, b"smessage", channel, message)


def _send(registry: Registry, kind: bytes, channel: bytes, message: bytes) -> int:
    sessions = registry.get(channel)
    if not sessions:
        return 0
    body = bulk(kind) + bulk(channel) + bulk(message)
    for c in list(sessions):
        c.send(push_header(3, c.resp) + body)
    return len(sessions)


def add(c: Session, registry: Registry, own: dict[bytes, None], name: bytes) -> None:
    """Subscribe a session to a channel or pattern."""
    own[name] = None
    registry.setdefault(name, {})[c] = None
    refresh_attention(c)


def drop(c: Session, registry: Registry, own: dict[bytes, None], name: bytes) -> bool:
    """Unsubscribe a session; True when it was subscribed."""
    if name not in own:
        return False
    del own[name]
    sessions = registry[name]
    del sessions[c]
    if not sessions:
        del registry[name]
    refresh_attention(c)
    return True


def unsubscribe_all(c: Session) -> None:
    """Drop all subscriptions of a session that is reset or gone."""
    engine = c.engine
    for registry, own in (
        (engine.channels, c.channels),
        (engine.patterns, c.patterns),
        (engine.shard_channels, c.shard_channels),
    ):
        for name in list(own):
            drop(c, registry, own, name)


def refresh_attention(c: Session) -> None:
    """Note in `attention` whether the session is a subscriber."""
    c.attend(ATT_SUBSCRIBED, bool(c.subscriptions() or c.shard_channels))


def confirmation(c: Session, kind: bytes, name: bytes | None, count: int) -> bytes:
    """Encode the message that confirms one (un)subscription."""
    shown = null(c.resp) if name is None else bulk(name)
    return push_header(3, c.resp) + bulk(kind) + shown + integer(count)
