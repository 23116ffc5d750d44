"""How long to try."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "0"))
"""Sequences each test draws; not set: a few, always the same. A night's worth is some ten thousand."""


def bounded(few: int) -> settings:
    """Settings for a test that draws `few` sequences unless told otherwise."""
    return settings(
        max_examples=EXAMPLES or few,
        derandomize=not EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
