"""The data node: RESP in, RESP out."""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    """Return the installed distribution's version, or "0" when run from a bare checkout."""
    try:
        return metadata.version("understudy-kv")
    except metadata.PackageNotFoundError:
        return "0"
