"""The data commands, a file a group."""

from __future__ import annotations

from kvserver.engine.commands import (
    bitfield,
    bits,
    cluster,
    command,
    connection,
    databases,
    expiry,
    geo,
    geo_search,
    hash_fields,
    hashes,
    hyperloglog,
    keys,
    lists,
    lists_blocking,
    pubsub,
    sets,
    sets_combine,
    sorting,
    stream_groups,
    stream_groups_claim,
    streams,
    streams_info,
    streams_read,
    strings,
    transactions,
    zsets,
    zsets_blocking,
    zsets_combine,
    zsets_range,
)
from kvserver.spec import Handler


def all_handlers() -> dict[str, Handler]:
    """Return name -> handler for every group of the data node."""
    handlers: dict[str, Handler] = {}
    for group in (
        bitfield,
        bits,
        cluster,
        command,
        connection,
        databases,
        expiry,
        geo,
        geo_search,
        hash_fields,
        hashes,
        hyperloglog,
        keys,
        lists,
        lists_blocking,
        pubsub,
        sets,
        sets_combine,
        sorting,
        stream_groups,
        stream_groups_claim,
        streams,
        streams_info,
        streams_read,
        strings,
        transactions,
        zsets,
        zsets_blocking,
        zsets_combine,
        zsets_range,
    ):
        handlers.update(group.HANDLERS)
    return handlers
