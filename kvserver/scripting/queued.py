"""EXEC with scripts in the queue: their own flags decide whether it may run, as those of commands do."""

from __future__ import annotations

from collections.abc import Sequence

from kvserver.engine.command_table.row import Row
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.gates import PASS
from kvserver.engine.run.session import Session
from kvserver.errors import CommandError
from kvserver.scripting.host import Host
from kvserver.scripting.shebang import COMPAT, NO_WRITES, script_flags


class QueuedScripts:
    """The gate that looks into the queue."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def gate(self, engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
        """Refuse EXEC for what a queued script would be refused for."""
        if row.name != "exec" or not c.queue:
            return PASS
        for queued, queued_args in c.queue:
            try:
                flags = self._flags(queued.name, queued_args)
                refusal = PASS if flags & COMPAT else self.host.refusal(c, flags, queued.name.endswith("_ro"))
            except CommandError:
                continue  # it will be told when it runs
            if refusal:
                return refusal
        return PASS

    def promises_no_writes(self, row: Row, args: Sequence[bytes]) -> bool:
        """Whether a request runs a script that is marked as one that doesn't write."""
        try:
            return bool(self._flags(row.name, args) & NO_WRITES)
        except CommandError:
            return False

    def _flags(self, name: str, args: Sequence[bytes]) -> int:
        """The flags of the script or function that a request runs; COMPAT for any other request."""
        if name in ("eval", "eval_ro"):
            return script_flags(args[1])[1]
        if name in ("evalsha", "evalsha_ro"):
            script = self.host.scripts.get(args[1].lower())
            return COMPAT if script is None else script.flags
        if name in ("fcall", "fcall_ro"):
            function = self.host.libraries.functions.get(args[1].lower())
            return COMPAT if function is None else function.flags
        return COMPAT
