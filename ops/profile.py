"""``python -m ops.profile``: a flame graph of a node under load, the C of compiled modules included.

py-spy reads the stacks of a node from outside a few hundred times a second and draws them; redis-benchmark is the
load. Functions of C show as such where they are: on Linux, with symbols (gcc leaves them in by itself).
"""

from __future__ import annotations

import argparse
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import redis

from ops.bench.servers import HOST, BenchError, free_port, need
from ops.cluster.processes import child_environment

NATIVE = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")
"""Whether py-spy can unwind stacks of C on this machine."""
READY_S = 30.0


def main(argv: list[str]) -> int:
    """Profile as asked; the exit code is 1 when something is missing or doesn't start."""
    options = _options(argv)
    try:
        record(options.output, options.seconds, options.rate, options.load.split(), options.node)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    print(options.output)
    return 0


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ops.profile", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/profile.svg"), help="the file to write")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long")
    parser.add_argument("--rate", type=int, default=250, help="looks a second")
    parser.add_argument("--load", default="-t set,get,incr,lpush,hset,zadd -P 16 -r 100000",
                        help="options of redis-benchmark, which runs again and again")
    parser.add_argument("node", nargs="*", help="options of the node (-- --appendonly yes)")
    return parser.parse_args(argv)


def record(output: Path, seconds: float, rate: int, load: list[str], node: list[str]) -> None:
    """Run a node under py-spy and redis-benchmark for so many seconds; write the flame graph to `output`.

    Raises:
        BenchError: a program is missing, or the node or py-spy failed.
    """
    spy, benchmark = _spy(), need("redis-benchmark")
    output.parent.mkdir(parents=True, exist_ok=True)
    output = output.resolve()
    output.unlink(missing_ok=True)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="profile-") as folder:
        served = [sys.executable, "-m", "kvserver", "--port", str(port), "--bind", HOST, "--dir", folder, "--save", ""]
        how = ["--rate", str(rate), "--format", "flamegraph", "--output", str(output), *(["--native"] * NATIVE)]
        with (Path(folder) / "log").open("w+b") as log:
            # In that folder: where the tree is the working folder, Python would prefer it to what is installed.
            profiler = subprocess.Popen(
                [spy, "record", *how, "--", *served, *node], cwd=folder, env=child_environment(), stdout=log, stderr=log
            )
            try:
                _wait(port, profiler)
                _load([benchmark, "-h", HOST, "-p", str(port), "-q", *load], seconds)
            finally:
                profiler.send_signal(signal.SIGINT)  # py-spy writes, and the node ends with it
                profiler.wait(60)
            if not output.exists():
                log.seek(0)
                raise BenchError(f"py-spy wrote nothing:\n{log.read()[-2000:].decode('utf-8', 'replace')}")


def _spy() -> str:
    """The program py-spy, beside this interpreter or anywhere."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else need("py-spy")


def _wait(port: int, profiler: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_S
    client = redis.Redis(HOST, port)
    while True:
        try:
            client.ping()
            client.close()
            return
        except redis.RedisError:
            if profiler.poll() is not None or time.monotonic() > deadline:
                raise BenchError("the node did not start under py-spy")
            time.sleep(0.05)


def _load(command: list[str], seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            subprocess.run(command, stdout=subprocess.DEVNULL, timeout=left, check=True)
        except subprocess.TimeoutExpired:
            return
        except subprocess.CalledProcessError as error:
            raise BenchError(f"redis-benchmark failed: {error}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
