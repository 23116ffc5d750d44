"""Log lines: what they say, which are written, and where."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kvserver import logs


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The lines written to a stream that is no terminal."""
    stream = io.StringIO()
    logs.configure("notice", stream)
    yield stream
    logs.configure("notice", io.StringIO())


def parsed(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_an_object_with_its_facts(lines: io.StringIO) -> None:
    """Event, level, component, time and every value are there, whatever their types."""
    logs.get("server").bind(primary="a:1").warning("it happened", count=2, raw=b"\xff", none=None)
    (line,) = parsed(lines)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"component": "server", "primary": "a:1", "count": 2, "raw": repr(b"\xff"), "none": None,
                    "event": "it happened", "level": "warning"}  # fmt: skip


def test_the_level_decides_for_loggers_that_exist(lines: io.StringIO) -> None:
    """loglevel counts for every logger, also for those made before it changed."""
    log = logs.get("server")
    for level in ("debug", "verbose", "notice", "warning"):
        logs.configure(level)
        log.debug(f"debug at {level}")
        log.info(f"info at {level}")
        log.error(f"error at {level}")
    assert [line["event"] for line in parsed(lines)] == [
        "debug at debug", "info at debug", "error at debug", "info at verbose", "error at verbose",
        "info at notice", "error at notice", "error at warning",
    ]  # fmt: skip


def test_an_exception_is_told_where_it_is_asked_for(lines: io.StringIO) -> None:
    """exc_info adds the traceback of the exception in hand, and stays one line."""
    try:
        raise ValueError("the reason")
    except ValueError:
        logs.get("server").error("failed", exc_info=True)
    (line,) = parsed(lines)
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: the reason")


def test_a_terminal_shows_it_to_read() -> None:
    """On a terminal a line begins with its time and level, and shows the facts behind the event."""
    stream = Terminal()
    logs.configure("notice", stream)
    logs.get("server").info("ready", port=1)
    logs.configure("notice", io.StringIO())
    text = re.sub(r"\x1b\[\d+m", "", stream.getvalue())
    assert "info" in text
    assert text.index("ready") < text.index("port") < text.index("=1")


def test_a_file_that_was_moved_is_begun_anew(tmp_path: Path) -> None:
    """Lines go to the file that bears the name, with the same descriptor throughout."""
    file = tmp_path / "log"
    output = logs.Output(str(file))
    before = output.fileno()
    output.write("one\n")
    file.rename(tmp_path / "old")
    output.write("two\n")
    file.unlink()
    output.write("three\n")
    assert (tmp_path / "old").read_text() == "one\n"
    assert file.read_text() == "three\n"
    assert output.fileno() == before


def test_a_line_that_cant_be_written_is_dropped(tmp_path: Path) -> None:
    """Without its folder a log says nothing, and goes on when the folder is back."""
    folder = tmp_path / "folder"
    folder.mkdir()
    output = logs.Output(str(folder / "log"))
    folder.rename(tmp_path / "away")
    output.write("lost\n")
    folder.mkdir()
    output.write("kept\n")
    assert (folder / "log").read_text() == "kept\n"
