"""Glob patterns match what Redis's match."""

from __future__ import annotations

import pytest

from kvserver.wire.glob import matcher


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (b"h?llo", b"hello", True),
        (b"h[^e]llo", b"hello", False),
        (b"h[a-z]llo*", b"hello world", True),
        (b"\\*", b"*", True),
        (b"*" * 5000, b"anything", True),
        (b"*a" * 1000, b"a" * 1000, True),
        (b"*a" * 1001, b"a" * 1001, False),
        (b"*a" * 1000 + b"*", b"a" * 2000, True),
        (b"*?" * 50_000, b"a" * 50_000, False),
        (b"\\*" * 2000, b"*" * 2000, True),
        (b"[*]" * 2000, b"*" * 2000, True),
    ],
)
def test_globs(pattern: bytes, text: bytes, matches: bool) -> None:
    """Wildcards, classes, escapes; of more than a thousand stars that something follows, nothing matches."""
    assert bool(matcher(pattern)(text)) is matches
