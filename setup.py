"""Build step of the distribution: the hot modules become C extensions where a C compiler is found.

The list below is the one place that says which. Each stays an ordinary Python file (with, perhaps, a .pxd of
C types beside it) that runs the same uncompiled. The modules know each other's C types, so a build has all of
them or none: when one doesn't build, all are left out, and the installation succeeds.

UNDERSTUDY_PURE=1 in the environment leaves them out on purpose; UNDERSTUDY_COMPILED=1 demands them, so that
failing to compile fails the installation.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HOT = (
    "kvserver/wire/resp.py",
    "kvserver/wire/numbers.py",
    "kvserver/engine/command_table/row.py",
    "kvserver/engine/command_table/naming.py",
    "kvserver/client/server.py",
    "kvserver/engine/keys/sampling.py",
    "kvserver/engine/keys/table.py",
    "kvserver/engine/values/limits.py",
    "kvserver/engine/values/list_value.py",
    "kvserver/engine/values/ordering.py",
    "kvserver/engine/values/types.py",
    "kvserver/engine/values/hll.py",
    "kvserver/engine/values/geohash.py",
    "kvserver/engine/values/id_map.py",
    "kvserver/engine/values/stream_value.py",
    "kvserver/engine/keys/keyspace.py",
    "kvserver/engine/run/session.py",
    "kvserver/engine/run/gates.py",
    "kvserver/engine/run/log.py",
    "kvserver/engine/run/executor.py",
    "kvserver/engine/commands/strings/strings.py",
    "kvserver/engine/commands/keys/keys.py",
    "kvserver/engine/commands/keys/expiry.py",
    "kvserver/engine/commands/lists/lists.py",
    "kvserver/engine/commands/hashes/hashes.py",
    "kvserver/engine/commands/sets/sets.py",
    "kvserver/engine/commands/zsets/zsets.py",
    "kvserver/engine/commands/streams/streams.py",
    "kvserver/engine/commands/strings/hyperloglog.py",
    "kvserver/engine/commands/geo/geo.py",
    "kvserver/engine/commands/geo/search.py",
    "kvserver/engine/commands/zsets/range.py",
    "kvserver/engine/commands/zsets/combine.py",
    "kvserver/acl/grants.py",
    "kvserver/scripting/api.py",
    "kvserver/scripting/eval_commands.py",
    "kvserver/scripting/decoding.py",
    "kvserver/scripting/host.py",
    "kvserver/scripting/running.py",
    "kvserver/scripting/runtime.py",
    "persistence/rdb/crc64.py",
    "persistence/rdb/lzf.py",
    "persistence/aof/records.py",
    "persistence/rdb/read/containers.py",
    "persistence/rdb/read/decoder.py",
    "persistence/rdb/write/encoder.py",
    "persistence/rdb/listpack.py",
    "persistence/rdb/model.py",
    "persistence/rdb/read/partial.py",
    "persistence/rdb/read/reader.py",
    "persistence/rdb/read/values.py",
    "persistence/rdb/write/writer.py",
    "persistence/snapshot/restore.py",
    "persistence/snapshot/snapshot.py",
)

# Types are said in the .pxd, where they are C's; an annotation in the .py stays what it means in Python
# (annotation_typing would refuse a bytearray for `bytes` and turn an int given for `float` into a double).
# Not boundscheck=False, wraparound=False, infer_types=True: the first two make `args[-1]`, or an index too
# large, read foreign memory, the third overflows a Python int as a C long. A module that is written for them
# says so in its own first line (`# cython: boundscheck=False`).
DIRECTIVES = {"language_level": 3, "annotation_typing": False}
JOBS = 2
C_FILES = Path("build", "cython")


def is_set(variable: str) -> bool:
    return os.environ.get(variable, "0") not in ("", "0")


def extensions() -> list[Any]:
    """The hot modules that exist, translated to C; none where that isn't wanted or can't be."""
    if is_set("UNDERSTUDY_PURE"):
        return []
    try:
        return translated()
    except Exception as error:
        give_up(error)
        return []


def translated() -> list[Any]:
    from Cython.Build import cythonize

    flags = [] if sys.platform == "win32" else ["-O2", "-g0", "-ffp-contract=off"]
    modules = [
        Extension(path.removesuffix(".py").replace("/", "."), [path], extra_compile_args=flags)
        for path in HOT
        if Path(path).exists()
    ]
    # Cython's workers need fork: on other systems a spawned one would run this file again.
    workers = JOBS if sys.platform == "linux" else 0
    result: list[Any] = cythonize(
        modules, build_dir=str(C_FILES), nthreads=workers, compiler_directives=DIRECTIVES
    )
    return result


def give_up(error: Exception) -> None:
    """Say that nothing is compiled, and why; or refuse, where compiling was demanded."""
    if is_set("UNDERSTUDY_COMPILED"):
        raise RuntimeError("UNDERSTUDY_COMPILED is set, and the hot modules don't compile") from error
    print(f"understudy-kv: installing without compiled modules: {error!r}", file=sys.stderr)


class BuildAllOrNone(build_ext):  # type: ignore[misc]
    """`build_ext` that gives up compiling, not installing, when the compiler fails or is missing."""

    parallel: int | None
    extensions: list[Any]

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or JOBS

    def run(self) -> None:
        try:
            super().run()
        except Exception as error:
            give_up(error)
            for extension in self.extensions:
                Path(self.get_ext_fullpath(extension.name)).unlink(missing_ok=True)
            self.extensions = []


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildAllOrNone})
