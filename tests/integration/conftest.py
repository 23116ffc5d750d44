"""What the tests of whole processes share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Processes that end with the test, the last one first."""
    with ExitStack() as opened:
        yield opened
