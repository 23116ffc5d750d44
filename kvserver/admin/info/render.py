"""Which sections INFO shows, and how they look on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kvserver.admin.context import admin_of
from kvserver.engine.run.session import Session
from kvserver.services.contributions import Provider
from kvserver.wire.resp import verbatim

TITLES = {
    "server": "Server",
    "clients": "Clients",
    "memory": "Memory",
    "persistence": "Persistence",
    "stats": "Stats",
    "replication": "Replication",
    "quorum": "Quorum",
    "cpu": "CPU",
    "modules": "Modules",
    "commandstats": "Commandstats",
    "errorstats": "Errorstats",
    "latencystats": "Latencystats",
    "cluster": "Cluster",
    "keyspace": "Keyspace",
}
"""Sections in the order in which they are shown, and their headings."""
EVERYTHING = frozenset(TITLES)
ALL = EVERYTHING - {"modules"}
DEFAULT = EVERYTHING - {"commandstats", "latencystats"}
_GROUPS = {"all": ALL | {"modules"}, "everything": EVERYTHING, "default": DEFAULT}


def render(providers: Mapping[str, Sequence[Provider]], wanted: Sequence[str] = ()) -> str:
    """The text of the wanted sections (lower case; none means the default ones)."""
    chosen: set[str] = set()
    for name in wanted or ("default",):
        chosen |= _GROUPS.get(name, {name})
    blocks = []
    for name, title in TITLES.items():
        if name in chosen and name in providers:
            fields: dict[str, object] = {}
            for provider in providers[name]:
                fields.update(provider())
            blocks.append(f"# {title}\r\n" + "".join(f"{key}:{value}\r\n" for key, value in fields.items()))
    return "\r\n".join(blocks)


def info(c: Session, a: list[bytes]) -> bytes:
    """INFO [section ...]."""
    wanted = [raw.decode("latin-1").lower() for raw in a[1:]]
    admin = admin_of(c)
    admin.evictor.look()
    return verbatim(render(c.engine.services.contributions.info, wanted).encode("utf-8", "surrogateescape"), c.resp)


HANDLERS = {"INFO": info}
