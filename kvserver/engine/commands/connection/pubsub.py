"""Pub/sub commands (https://redis.io/docs/interact/pubsub/)."""

from __future__ import annotations

from collections.abc import Callable

from kvserver.engine.events import pubsub
from kvserver.engine.run.session import ATT_REPLY, Session
from kvserver.errors import CommandError, shown
from kvserver.wire.glob import matcher
from kvserver.wire.resp import array_header, bulk, bulks, integer, simple

Handler = Callable[[Session, list[bytes]], bytes]


def _count(c: Session, kind: bytes) -> int:
    return len(c.shard_channels) if kind in (b"ssubscribe", b"sunsubscribe") else c.subscriptions()


def _stores(c: Session, kind: bytes) -> tuple[pubsub.Registry, dict[bytes, None]]:
    if kind[:1] == b"p":
        return c.engine.patterns, c.patterns
    if kind in (b"ssubscribe", b"sunsubscribe"):
        return c.engine.shard_channels, c.shard_channels
    return c.engine.channels, c.channels


def _confirm(c: Session, confirmations: list[bytes]) -> bytes:
    """Confirmations are messages rather than replies: CLIENT REPLY OFF and SKIP don't hold them back."""
    data = b"".join(confirmations)
    if not c.attention & ATT_REPLY:
        return data
    c.send(data)
    return b""


def _subscribe(kind: bytes) -> Handler:
    def handler(c: Session, a: list[bytes]) -> bytes:
        if c.no_block and kind == b"ssubscribe":
            raise CommandError("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
        out = []
        for name in a[1:]:
            pubsub.add(c, *_stores(c, kind), name)
            out.append(pubsub.confirmation(c, kind, name, _count(c, kind)))
        return _confirm(c, out)

    handler.__doc__ = f"{kind.decode().upper()} name [name …]."
    return handler


def _unsubscribe(kind: bytes) -> Handler:
    def handler(c: Session, a: list[bytes]) -> bytes:
        registry, own = _stores(c, kind)
        out = []
        for name in a[1:] or list(own):
            pubsub.drop(c, registry, own, name)
            out.append(pubsub.confirmation(c, kind, name, _count(c, kind)))
        if not out:
            out.append(pubsub.confirmation(c, kind, None, _count(c, kind)))
        return _confirm(c, out)

    handler.__doc__ = f"{kind.decode().upper()} [name …]."
    return handler


def publish(c: Session, a: list[bytes]) -> bytes:
    """PUBLISH channel message."""
    n = pubsub.publish(c.engine, a[1], a[2])
    c.db.state.also(c.db.index, a)
    return integer(n)


def spublish(c: Session, a: list[bytes]) -> bytes:
    """SPUBLISH shardchannel message."""
    n = pubsub.publish_shard(c.engine, a[1], a[2])
    c.db.state.also(c.db.index, a)
    return integer(n)


def _channels(c: Session, registry: pubsub.Registry, a: list[bytes]) -> bytes:
    if len(a) > 3:
        raise CommandError(
            f"ERR wrong number of arguments for '{c.row.name if c.row else 'pubsub'}' command"
        )
    names = list(registry)
    if len(a) == 3:
        match = matcher(a[2])
        names = [name for name in names if match(name)]
    return bulks(names)


def channels(c: Session, a: list[bytes]) -> bytes:
    """PUBSUB CHANNELS [pattern]."""
    return _channels(c, c.engine.channels, a)


def shardchannels(c: Session, a: list[bytes]) -> bytes:
    """PUBSUB SHARDCHANNELS [pattern]."""
    if len(a) > 3:
        raise CommandError(
            b"ERR unknown subcommand or wrong number of arguments for '%b'. Try PUBSUB HELP." % shown(a[1][:128])
        )
    return _channels(c, c.engine.shard_channels, a)


def _numsub(registry: pubsub.Registry, names: list[bytes]) -> bytes:
    out = [array_header(2 * len(names))]
    for name in names:
        out += [bulk(name), integer(len(registry.get(name, ())))]
    return b"".join(out)


def numsub(c: Session, a: list[bytes]) -> bytes:
    """PUBSUB NUMSUB [channel …]."""
    return _numsub(c.engine.channels, a[2:])


def shardnumsub(c: Session, a: list[bytes]) -> bytes:
    """PUBSUB SHARDNUMSUB [channel …]."""
    return _numsub(c.engine.shard_channels, a[2:])


def numpat(c: Session, a: list[bytes]) -> bytes:
    """PUBSUB NUMPAT."""
    return integer(len(c.engine.patterns))


_HELP = (
    "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CHANNELS [<pattern>]",
    "    List the channels that have subscribers (default: all of them).",
    "NUMPAT",
    "    Count the patterns subscribed to.",
    "NUMSUB [<channel> ...]",
    "    Count the subscribers of each channel named.",
    "SHARDCHANNELS [<pattern>]",
    "    List the shard channels that have subscribers (default: all of them).",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Count the subscribers of each shard channel named.",
    "HELP",
    "    Print this help.",
)


def help_(c: Session, a: list[bytes]) -> bytes:
    """PUBSUB HELP."""
    return array_header(len(_HELP)) + b"".join(map(simple, _HELP))


HANDLERS = {
    "PSUBSCRIBE": _subscribe(b"psubscribe"),
    "PUBLISH": publish,
    "PUBSUB|CHANNELS": channels,
    "PUBSUB|HELP": help_,
    "PUBSUB|NUMPAT": numpat,
    "PUBSUB|NUMSUB": numsub,
    "PUBSUB|SHARDCHANNELS": shardchannels,
    "PUBSUB|SHARDNUMSUB": shardnumsub,
    "PUNSUBSCRIBE": _unsubscribe(b"punsubscribe"),
    "SPUBLISH": spublish,
    "SSUBSCRIBE": _subscribe(b"ssubscribe"),
    "SUBSCRIBE": _subscribe(b"subscribe"),
    "SUNSUBSCRIBE": _unsubscribe(b"sunsubscribe"),
    "UNSUBSCRIBE": _unsubscribe(b"unsubscribe"),
}
