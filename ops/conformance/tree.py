"""A copy of the suite to run in, with our server, or Debian's, where the suite looks for Redis."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from ops.conformance.source import CACHE, SourceError

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb", "redis-sentinel")

# The suite waits for a line with the process's id before it looks for the server. Ours keeps the shell's id and
# writes that line when it listens; for one that could not start the watcher does.
WRAPPER = """#!/bin/sh
case "$1" in
-*|"") ;;
*) (while kill -0 $$ 2>/dev/null; do sleep 0.5; done; echo "Ended: PID: $$") & ;;
esac
PYTHONPATH={path} exec {python} -m kvserver "$@"
"""


@contextmanager
def run_tree(suite: Path, server: str) -> Iterator[Path]:
    """A folder to run the suite in; removed afterwards.

    `server` is whose the server is: ``checkout`` (this one's), ``installed`` (the interpreter's package,
    which may be compiled) or ``peer`` (Debian's).
    """
    folder = Path(mkdtemp(prefix="conformance-", dir=CACHE))
    try:
        shutil.copytree(suite / "tests", folder / "tests", symlinks=True)
        (folder / "tests" / "tmp").mkdir(exist_ok=True)
        _go_on_after_a_lost_block(folder / "tests" / "support" / "server.tcl")
        for entry in suite.iterdir():
            if entry.name not in ("tests", "src"):
                (folder / entry.name).symlink_to(entry)
        (folder / "src").mkdir()
        for tool in TOOLS:
            path = shutil.which(tool)
            if path is not None:
                (folder / "src" / tool).symlink_to(path)
        _install_server(folder / "src" / "redis-server", server)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _go_on_after_a_lost_block(script: Path) -> None:
    """Make the suite leave a block of tests that failed outside of a test, and go on with the next one.

    With --durable it reports such a failure, but then tries to end a server that it has ended already, which
    ends the unit as well.
    """
    before, mark, after = script.read_text().partition("lappend details $backtrace")
    report = 'send_data_packet $::test_server_fd err [join $details "\\n"]'
    leave = f"{report}\nset ::tags [lrange $::tags 0 end-[llength $tags]]\nreturn"
    script.write_text(before + mark + after.replace(report, leave, 1))


def _install_server(place: Path, server: str) -> None:
    if server != "peer":
        path = str(ROOT) if server == "checkout" else ""
        place.write_text(WRAPPER.format(path=shlex.quote(path), python=shlex.quote(sys.executable)))
        place.chmod(0o755)
        return
    program = shutil.which("redis-server")
    if program is None:
        raise SourceError("the baseline needs the Debian package redis-server")
    os.symlink(program, place)
