"""The start of a sentinel: what it doesn't load, so that it is there soon."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["kvserver.engine.commands.table", "kvserver.engine.commands.strings.strings",
                                    "kvserver.scripting", "persistence"])
def test_what_a_sentinel_does_not_serve_it_does_not_load(module: str) -> None:
    """Data commands, scripts and files of data are no part of a sentinel's process."""
    program = f"import sys, replication.sentinel.__main__; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
