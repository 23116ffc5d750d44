"""Build step of the distribution: the hot modules become C extensions where a C compiler is found.

The list below is the one place that says which. Each stays an ordinary Python file (with, perhaps, a .pxd of
C types beside it) that runs the same uncompiled. What is C memory through and through is a .pyx; the Python file of
its name beside it, if there is one, does the same uncompiled. The modules know each other's C types, so a build has
all of them or none: when one doesn't build, all are left out, and the installation succeeds.

Only what has changed is translated and compiled again: build/ is kept from one build to the next, and what is newer
than what was made of it decides.

UNDERSTUDY_PURE=1 in the environment leaves them out on purpose; UNDERSTUDY_COMPILED=1 demands them, so that
failing to compile fails the installation. UNDERSTUDY_DEBUG=1 compiles for a debugger.
`setup.py annotate [FILE...]` shows what C each line became.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, ClassVar

from setuptools import Command, Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

HOT = (
    "kvserver/wire/resp.py",
    "kvserver/wire/numbers.py",
    "kvserver/engine/command_table/row.py",
    "kvserver/engine/command_table/naming.py",
    "kvserver/client/output.py",
    "kvserver/client/server.py",
    "kvserver/client/sending.py",
    "kvserver/client/connection.py",
    "kvserver/engine/keys/sampling.py",
    "kvserver/engine/keys/table.py",
    "kvserver/engine/store/slots.pyx",
    "kvserver/engine/store/walks.pyx",
    "kvserver/engine/store/key_table.pyx",
    "kvserver/engine/values/limits.py",
    "kvserver/engine/values/list_value.py",
    "kvserver/engine/values/ordering.py",
    "kvserver/engine/values/types.py",
    "kvserver/engine/values/hll.py",
    "kvserver/engine/values/hll_estimate.py",
    "kvserver/engine/values/geohash.py",
    "kvserver/engine/values/id_map.py",
    "kvserver/engine/values/stream_groups.py",
    "kvserver/engine/values/stream_sizes.py",
    "kvserver/engine/values/stream_value.py",
    "kvserver/engine/keys/keyspace.py",
    "kvserver/engine/run/session.py",
    "kvserver/engine/run/gates.py",
    "kvserver/engine/run/log.py",
    "kvserver/engine/run/executor.py",
    "kvserver/engine/commands/args.py",
    "kvserver/engine/commands/typed.py",
    "kvserver/engine/fast/strings.pyx",
    "kvserver/engine/fast/times.pyx",
    "kvserver/engine/fast/way.pyx",
    "kvserver/engine/commands/strings/strings.py",
    "kvserver/engine/commands/keys/keys.py",
    "kvserver/engine/commands/keys/expiry.py",
    "kvserver/engine/commands/lists/lists.py",
    "kvserver/engine/commands/hashes/hashes.py",
    "kvserver/engine/commands/sets/sets.py",
    "kvserver/engine/commands/sets/combine.py",
    "kvserver/engine/commands/zsets/zsets.py",
    "kvserver/engine/commands/streams/ids.py",
    "kvserver/engine/commands/streams/trimming.py",
    "kvserver/engine/commands/streams/streams.py",
    "kvserver/engine/commands/strings/hyperloglog.py",
    "kvserver/engine/commands/geo/geo.py",
    "kvserver/engine/commands/geo/search.py",
    "kvserver/engine/commands/zsets/range.py",
    "kvserver/engine/commands/zsets/combine.py",
    "kvserver/acl/grants.py",
    "kvserver/scripting/bridge.py",
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
    "persistence/rdb/read/strings.pyx",
    "persistence/rdb/read/values.py",
    "persistence/rdb/write/strings.pyx",
    "persistence/rdb/write/writer.py",
    "persistence/snapshot/restore.py",
    "persistence/snapshot/snapshot.py",
)

# Types are said in the .pxd, where they are C's; an annotation in the .py stays what it means in Python
# (annotation_typing would refuse a bytearray for `bytes` and turn an int given for `float` into a double).
# Not boundscheck=False, wraparound=False, infer_types=True: the first two make `args[-1]`, or an index too
# large, read foreign memory, the third overflows a Python int as a C long. A module that is written for them
# says so in its own first line (`# cython: boundscheck=False`). Without comments the C is half as long to read.
# Functions that are C's own kind (binding=False) are called a little faster than Cython's, and are a sixth less C;
# they have no signature to inspect, and take no attributes.
DIRECTIVES = {"language_level": 3, "annotation_typing": False, "emit_code_comments": False, "binding": False}

# The passes of -O2 that pay for themselves. Measured on the executor with one command after another: as fast as -O2
# within 1 % (-O1 alone: 5 % slower), and a third less to wait for.
PASSES = (
    "caller-saves",
    "crossjumping",
    "expensive-optimizations",
    "indirect-inlining",
    "inline-small-functions",
    "ipa-cp",
    "optimize-sibling-calls",
    "partial-inlining",
    "peephole2",
    "reorder-blocks",
    "reorder-blocks-and-partition",
    "reorder-functions",
    "strict-aliasing",
    "thread-jumps",
    "align-functions",
    "align-jumps",
    "align-loops",
)
OPTIMIZE = ["-O1", *(f"-f{name}" for name in PASSES)] if sys.platform == "linux" else ["-O2"]
# Looking for what to warn of in generated C takes a twelfth of the compiler's time. But what isn't declared would be
# taken to return an int.
ALWAYS = ["-g0", "-ffp-contract=off", "-Wno-all", "-Werror=implicit-function-declaration"]

JOBS = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
C_FILES = Path("build", "cython")
ANNOTATED = Path("build", "annotated")


def is_set(variable: str) -> bool:
    return os.environ.get(variable, "0") not in ("", "0")


def module_name(path: str) -> str:
    return path.removesuffix(Path(path).suffix).replace("/", ".")


def extensions() -> list[Any]:
    """The hot modules that exist, not translated yet; none where that isn't wanted."""
    if is_set("UNDERSTUDY_PURE"):
        return []
    flags = ["-O0", "-g"] if is_set("UNDERSTUDY_DEBUG") else [*OPTIMIZE, *ALWAYS]
    if sys.platform == "win32":
        flags = []
    return [
        Extension(module_name(path), [path], extra_compile_args=flags, depends=["setup.py"])
        for path in HOT
        if Path(path).exists()
    ]


def translated(modules: list[Any], folder: Path, **options: Any) -> list[Any]:
    """The modules with C in the place of Python, written below `folder`."""
    from importlib.metadata import version

    from Cython.Build import cythonize

    # Cython's workers need fork: on other systems a spawned one would run this file again.
    workers = JOBS if sys.platform == "linux" else 0
    build_dir = str(folder / version("cython"))  # another Cython writes other C
    result: list[Any] = cythonize(
        modules, build_dir=build_dir, nthreads=workers, compiler_directives=DIRECTIVES, **options
    )
    return result


def give_up(error: Exception) -> None:
    """Say that nothing is compiled, and why; or refuse, where compiling was demanded."""
    if is_set("UNDERSTUDY_COMPILED"):
        raise RuntimeError("UNDERSTUDY_COMPILED is set, and the hot modules don't compile") from error
    print(f"understudy-kv: installing without compiled modules: {error!r}", file=sys.stderr)


class Build(build):  # type: ignore[misc]
    """`build` that takes nothing over from an earlier one but compiled modules that are still hot."""

    build_lib: str

    def run(self) -> None:
        hot = {extension.name for extension in self.distribution.ext_modules or ()}
        for path in Path(self.build_lib).rglob("*.*"):
            name = path.relative_to(self.build_lib).as_posix().replace("/", ".")
            compiled = path.suffix in (".so", ".pyd") and any(name.startswith(f"{module}.") for module in hot)
            if path.is_file() and not compiled:
                path.unlink()
        super().run()


class BuildAllOrNone(build_ext):  # type: ignore[misc]
    """`build_ext` that gives up compiling, not installing, when translator or compiler fails or is missing."""

    parallel: int | None
    extensions: list[Any]

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or JOBS

    def run(self) -> None:
        try:
            for module, c in zip(self.extensions, translated(self.extensions, C_FILES), strict=True):
                module.sources, module.depends = c.sources, c.depends
            # The longest first, so that no processor waits for another's last.
            self.extensions.sort(key=lambda module: -os.path.getsize(module.sources[0]))
            super().run()
        except Exception as error:
            give_up(error)
            for extension in self.extensions:
                Path(self.get_ext_fullpath(extension.name)).unlink(missing_ok=True)
            self.extensions = []


class Annotate(Command):  # type: ignore[misc]
    """Pages that show the C of each line of hot modules; a darker line has more calls into Python."""

    user_options: ClassVar[list[tuple[str, str | None, str]]] = []
    command_consumes_arguments = True
    args: list[str] | None

    def initialize_options(self) -> None:
        self.args = None

    def finalize_options(self) -> None:
        """Any number of files may be named."""

    def run(self) -> None:
        wanted = [extension for extension in extensions() if not self.args or extension.sources[0] in self.args]
        for c in translated(wanted, ANNOTATED, annotate=True, force=True):
            print(Path(c.sources[0]).with_suffix(".html"))


setup(ext_modules=extensions(), cmdclass={"build": Build, "build_ext": BuildAllOrNone, "annotate": Annotate})
