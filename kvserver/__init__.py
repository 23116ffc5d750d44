"""The data node: RESP in, RESP out."""

from __future__ import annotations


def version() -> str:
    """Return the installed distribution's version, or "0" when run from a bare checkout."""
    from importlib import metadata  # here, as it takes 20 ms and few ask

    try:
        return metadata.version("understudy-kv")
    except metadata.PackageNotFoundError:
        return "0"
