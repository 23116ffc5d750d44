"""maxmemory: above it, commands that would need more memory are refused (policy noeviction).

What is compared is the memory the process holds in RAM, the one figure that the machine's owner cares about;
it is looked at ten times a second. After deletions it falls only as far as Python's allocator can give
memory back, so the limit errs on the side of refusing.
"""

from __future__ import annotations

from kvserver.config import Config
from kvserver.engine.executor import Engine
from kvserver.engine.gates import PASS
from kvserver.engine.session import ATT_INTERNAL, Session
from kvserver.resp import error
from kvserver.spec import DENYOOM, Row

OOM = error("OOM command not allowed when used memory > 'maxmemory'.")
NAME = "memory"


def look(engine: Engine, config: Config, used_bytes: int) -> None:
    """Begin or end to refuse. A replica leaves that to its primary, unless replica-ignore-maxmemory is off."""
    exempt = config.replicaof is not None and config.replica_ignore_maxmemory
    over = bool(config.maxmemory) and used_bytes > config.maxmemory and not exempt
    wanted = DENYOOM if over else 0
    if engine.deny_masks.get(NAME, 0) != wanted:
        engine.forbid(NAME, wanted)


def gate(engine: Engine, c: Session, row: Row, args: list[bytes]) -> bytes | None:
    """Refuse what needs memory while there is too little."""
    if row.flags & engine.deny_masks.get(NAME, 0) and not c.attention & ATT_INTERNAL:
        return OOM
    return PASS
