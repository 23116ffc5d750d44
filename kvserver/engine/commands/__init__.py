"""The data commands, a folder a type; `all_handlers` collects them."""

from __future__ import annotations

from kvserver.engine.command_table.row import Handler


def all_handlers() -> dict[str, Handler]:
    """Name -> handler of every data command."""
    from kvserver.engine.commands import table  # here, as it takes 80 ms, and a sentinel serves none of them

    return table.all_handlers()
