"""The option table says the truth about what is honoured."""

from __future__ import annotations

import re
from pathlib import Path

from kvserver.config import OPTIONS

ROOT = Path(__file__).resolve().parents[4]
# Files that only show options: INFO tells maxmemory and its policy whatever they do.
SHOWN_ONLY = {"kvserver/admin/info/sections.py"}


def code() -> str:
    """All of the service's sources except the configuration itself."""
    return "\n".join(
        path.read_text()
        for folder in ("kvserver", "persistence", "replication")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "kvserver/config" not in path.as_posix() and path.relative_to(ROOT).as_posix() not in SHOWN_ONLY
    )


def test_an_option_is_read_if_and_only_if_it_is_honoured() -> None:
    """Nothing reads an option that is refused or without effect, and each other one is read somewhere."""
    text = code()
    read = {option.name for option in OPTIONS if re.search(rf"\.{option.attribute}\b", text)}
    honoured = {option.name for option in OPTIONS if not option.refused and not option.inert}
    assert honoured - read == set(), "honoured in the table, read nowhere"
    assert read - honoured == set(), "read somewhere, excused in the table"
