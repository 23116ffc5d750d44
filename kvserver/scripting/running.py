"""The script that runs now: who runs it, what it may do, what it has done."""

from __future__ import annotations

from dataclasses import dataclass, field

from kvserver.engine.session import Session

GO_ON = 0
KILLED_SCRIPT = 1
KILLED_FUNCTION = 2
LOAD_TIMEOUT = 3
EVAL_TIMEOUT = 4

REPL_ALL = 3
REPL_REPLICA = 2


@dataclass(slots=True)
class Running:
    """One script, function or library load from its beginning to its end."""

    caller: Session
    name: bytes
    is_function: bool
    args: list[bytes]
    started_s: float
    flags: int
    read_only: bool
    wrote: bool = False
    slow: bool = False  # other clients are told to wait
    stop: int = GO_ON  # why it must end
    repl: int = REPL_ALL
    deadline_s: float = field(default=0.0)  # 0 = none; a library load has one, and what is typed into the debugger
    overdue: int = LOAD_TIMEOUT  # why it must end once that has passed
