"""The programs of others that some tests run against: present, or the test says why it did not run."""

from __future__ import annotations

import os
import shutil

import pytest


def require_peer(program: str) -> str:
    """Path of `program`; absent, the test is skipped with the reason, or fails where CI is set."""
    path = shutil.which(program)
    if path is not None:
        return path
    reason = f"{program} is not installed (the tests run against Debian's redis-server and prometheus)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
