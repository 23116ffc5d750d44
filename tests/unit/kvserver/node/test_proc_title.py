"""What the process is called."""

from __future__ import annotations

import pytest

from kvserver.node.proc_title import called, expand

VALUES = {"title": "kvserver", "listen-addr": "*:6379", "server-mode": "", "port": "6379"}


@pytest.mark.parametrize(
    ("template", "title"),
    [
        ("{title} {listen-addr} {server-mode}", "kvserver *:6379"),
        ("  my {{{port}}  ", "my {6379}"),
        ("plain", "plain"),
        ("{bogus}", ""),
        ("{", ""),
        ("{port", ""),
        ("{}", ""),
        ("{server-mode}", ""),
        ("{port}{", ""),
    ],
)
def test_templates(template: str, title: str) -> None:
    """A template is filled in as Redis fills it in; what it can't mean is nothing."""
    assert expand(template, VALUES) == title


@pytest.mark.parametrize(
    ("program", "name"),
    [("/a/kvserver/__main__.py", "kvserver"), ("/usr/bin/kvserver", "/usr/bin/kvserver"), ("kvsentinel", "kvsentinel")],
)
def test_names(program: str, name: str) -> None:
    """The process goes by the name by which it was called, as Redis's does."""
    assert called(program) == name
