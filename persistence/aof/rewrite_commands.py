"""BGREWRITEAOF, DEBUG LOADAOF, DEBUG AOF-FLUSH-SLEEP."""

from __future__ import annotations

from kvserver.engine.run.session import Session
from kvserver.errors import CommandError
from kvserver.wire.numbers import parse_int
from kvserver.wire.resp import OK, simple
from persistence.aof.append_only import AppendOnly


def _of(c: Session) -> AppendOnly:
    return c.engine.services.kept(AppendOnly)


def bgrewriteaof(c: Session, a: list[bytes]) -> bytes:
    """BGREWRITEAOF: works while the log isn't written, too."""
    aof = _of(c)
    rewriter = aof.rewriter
    if rewriter.in_progress and not rewriter.given_up:
        raise CommandError("ERR Background append only file rewriting already in progress")
    if aof.must_wait():
        rewriter.scheduled = True
        rewriter.back_off.reset()
        return simple("Background append only file rewriting scheduled")
    if not rewriter.begin():
        raise CommandError(
            "ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
        )
    return simple("Background append only file rewriting started")


def debug_loadaof(c: Session, a: list[bytes]) -> bytes:
    """DEBUG LOADAOF."""
    _of(c).load_again()
    return OK


def debug_flush_sleep(c: Session, a: list[bytes]) -> bytes:
    """DEBUG AOF-FLUSH-SLEEP microseconds: writing takes so much longer."""
    if len(a) != 3:
        raise CommandError(
            "ERR unknown subcommand or wrong number of arguments for 'AOF-FLUSH-SLEEP'. Try DEBUG HELP."
        )
    _of(c).writer.delay_s = max(0, parse_int(a[2])) / 1e6
    return OK


HANDLERS = {"BGREWRITEAOF": bgrewriteaof}
DEBUG = {b"AOF-FLUSH-SLEEP": debug_flush_sleep, b"LOADAOF": debug_loadaof}
"""Subcommands of DEBUG."""
