"""The script that runs now: who runs it, what it may do, what it has done."""

from __future__ import annotations

from kvserver.engine.run.log import KEPT_ONLY, REPLICAS_ONLY
from kvserver.engine.run.session import Session

GO_ON = 0
KILLED_SCRIPT = 1
KILLED_FUNCTION = 2
LOAD_TIMEOUT = 3
EVAL_TIMEOUT = 4

REPL_ALL = 3
REPL_REPLICA = 2
REPL_AOF = 1


class Running:
    """One script, function or library load from its beginning to its end."""

    def __init__(
        self, caller: Session, name: bytes, is_function: bool, args: list[bytes], started_s: float, flags: int,
        read_only: bool,
    ) -> None:  # fmt: skip
        self.begin(caller, name, is_function, args, started_s, flags, read_only)

    def begin(
        self, caller: Session, name: bytes, is_function: bool, args: list[bytes], started_s: float, flags: int,
        read_only: bool,
    ) -> None:  # fmt: skip
        """Be what it is at its beginning."""
        self.caller = caller
        self.name = name
        self.is_function = is_function
        self.args = args
        self.started_s = started_s
        self.flags = flags
        self.read_only = read_only
        self.wrote = False
        self.slow = False  # other clients are told to wait
        self.stop = GO_ON  # why it must end
        self.repl = REPL_ALL
        self.deadline_s = 0.0  # 0 = none; a library load has one, and what is typed into the debugger
        self.overdue = LOAD_TIMEOUT  # why it must end once that has passed


def begun(
    caller: Session, name: bytes, is_function: bool, args: list[bytes], started_s: float, flags: int, read_only: bool
) -> Running:
    """A script that begins; in C this is shorter than to call the class."""
    running: Running = Running.__new__(Running)
    running.begin(caller, name, is_function, args, started_s, flags, read_only)
    return running


def restrict(batch: list[tuple[int, list[bytes]]], start: int, where: int) -> None:
    """Have the effects from number `start` on go only where redis.set_repl wants them."""
    effects = batch[start:]
    del batch[start:]
    if where & (REPL_AOF | REPL_REPLICA):
        mark = REPLICAS_ONLY if where & REPL_REPLICA else KEPT_ONLY
        batch += [(db + mark, args) for db, args in effects]
