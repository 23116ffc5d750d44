"""Every group of data commands, put together."""

from __future__ import annotations

from kvserver.engine.command_table.row import Handler
from kvserver.engine.commands.connection import connection, pubsub, transactions
from kvserver.engine.commands.geo import geo, search as geo_search
from kvserver.engine.commands.hashes import field_expiry as hash_fields, hashes
from kvserver.engine.commands.keys import databases, expiry, keys, sorting
from kvserver.engine.commands.lists import blocking as lists_blocking, lists
from kvserver.engine.commands.server import cluster, command
from kvserver.engine.commands.sets import combine as sets_combine, sets
from kvserver.engine.commands.streams import (
    claim as stream_groups_claim,
    groups as stream_groups,
    info as streams_info,
    read as streams_read,
    streams,
)
from kvserver.engine.commands.strings import bitfield, bits, hyperloglog, strings
from kvserver.engine.commands.zsets import (
    blocking as zsets_blocking,
    combine as zsets_combine,
    range as zsets_range,
    zsets,
)


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
