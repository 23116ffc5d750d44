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
TLS = Path("tests", "tls")
"""Where the suite looks for its certificates."""
TOOLS = ("redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb")

# The suite waits for a line with the process's id before it looks for the server. Ours keeps the shell's id and
# writes that line when it listens; for one that could not start the watcher does.
WRAPPER = """#!/bin/sh
case "$1" in
-*|"") ;;
*) (while kill -0 $$ 2>/dev/null; do sleep 0.5; done; echo "Ended: PID: $$") & ;;
esac
PYTHONPATH={path} exec {python} {program} "$@"
"""
SENTINEL_WRAPPER = """#!/bin/sh
PYTHONPATH={path} exec {python} {program} "$@" --sentinel
"""
# Called by the name that the suite knows, as the process's title shows it.
PROGRAM = "from kvserver.cli import main\n\nraise SystemExit(main())\n"


@contextmanager
def run_tree(suite: Path, server: str, sentinel: str | None = None, tls: Path | None = None) -> Iterator[Path]:
    """A folder to run the suite in; removed afterwards.

    `server` and `sentinel` are whose these programs are: ``checkout`` (this one's), ``installed`` (the
    interpreter's package, which may be compiled) or ``peer`` (Debian's); without `sentinel` there is none.
    With a folder of certificates, `tls`, the suite speaks TLS (`runner`).
    """
    folder = Path(mkdtemp(prefix="conformance-", dir=CACHE))
    try:
        shutil.copytree(suite / "tests", folder / "tests", symlinks=True)
        (folder / "tests" / "tmp").mkdir(exist_ok=True)
        if tls is not None:
            shutil.copytree(tls, folder / TLS)
        _go_on_after_a_lost_block(folder / "tests" / "support" / "server.tcl")
        for entry in suite.iterdir():
            if entry.name not in ("tests", "src"):
                (folder / entry.name).symlink_to(entry)
        (folder / "src").mkdir()
        for tool in TOOLS:
            path = shutil.which(tool)
            if path is not None:
                (folder / "src" / tool).symlink_to(path)
        _install(folder / "src" / "redis-server", server, WRAPPER)
        if sentinel is not None:
            _install(folder / "src" / "redis-sentinel", sentinel, SENTINEL_WRAPPER)
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


def _install(place: Path, whose: str, wrapper: str) -> None:
    if whose != "peer":
        path = str(ROOT) if whose == "checkout" else ""
        program = place.parent / "ours" / place.name
        program.parent.mkdir(exist_ok=True)
        program.write_text(PROGRAM)
        words = {"path": path, "python": sys.executable, "program": str(program)}
        place.write_text(wrapper.format(**{name: shlex.quote(word) for name, word in words.items()}))
        place.chmod(0o755)
        return
    # Called redis-sentinel, the same program is a sentinel; that name is in a package of its own.
    peer = shutil.which("redis-server")
    if peer is None:
        raise SourceError("the baseline needs the Debian package redis-server")
    os.symlink(peer, place)
