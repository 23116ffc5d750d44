"""Logging: structlog, readable on a terminal, one JSON object a line elsewhere."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog

LEVELS = {"debug": 10, "verbose": 20, "notice": 20, "warning": 30}
"""Redis's loglevel names as Python's levels."""


_target: TextIO | None = None


def configure(level: str = "notice", stream: TextIO | None = None) -> None:
    """Set logging up for the process; `level` is one of Redis's names. Without a stream it goes where it went."""
    global _target
    target = _target = stream or _target or sys.stdout
    terminal = target.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS.get(level, logging.INFO)),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )


def get(component: str) -> Any:
    """Return the logger of a component ("server", "replication", …), which follows every later `configure`."""
    return structlog.get_logger(component=component)
