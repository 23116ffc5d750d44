"""Where the log goes: a file named relative to the working folder, and what happens when there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import free_port, start_kvserver, wait_until
from support.processes import python_env


def test_the_log_file_is_in_the_working_folder(tmp_path: Path) -> None:
    """A relative logfile is in `dir`, as Redis has it, and stays the log when the level changes."""
    with start_kvserver(folder=tmp_path, logfile="log.txt", loglevel="warning") as server:
        log = tmp_path / "log.txt"
        assert log.exists()
        server.command("CONFIG", "SET", "loglevel", "debug")
        server.command("BGSAVE")
        wait_until(lambda: "snapshot saved" in log.read_text(), what="a line in the log file")


@pytest.mark.parametrize("mode", [(), ("--sentinel",)])
@pytest.mark.parametrize(("option", "value"), [("dir", "missing"), ("logfile", "missing/log.txt")])
def test_a_folder_that_is_missing_is_named_at_start(
    tmp_path: Path, mode: tuple[str, ...], option: str, value: str
) -> None:
    """A working folder or log file that can't be used ends the start with its name, not with a traceback."""
    file = tmp_path / "a.conf"
    file.write_text(f"port {free_port()}\n{option} {tmp_path / value}\n")
    done = subprocess.run([sys.executable, "-m", "kvserver", str(file), *mode], env=python_env(), timeout=60,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "missing" in done.stderr
    assert "Traceback" not in done.stderr
