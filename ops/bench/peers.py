"""Which servers we are compared with (`--peers`): their programs, and whether those are what they are said to be."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ops.bench.servers import BenchError

VERSION_S = 30.0


@dataclass(frozen=True)
class Peer:
    """A server that is compared with ours."""

    name: str
    program: str
    version: str


@dataclass(frozen=True)
class Kind:
    """What a name of `--peers` means: the product, its major version, and the program looked for on the PATH."""

    product: str
    major: int
    program: str


KINDS = {
    "redis7": Kind("Redis", 7, "redis-server"),
    "redis8": Kind("Redis", 8, "redis-server"),
    "valkey9": Kind("Valkey", 9, "valkey-server"),
}


def find(names: Sequence[str], given: Mapping[str, str], skip: Callable[[str], None]) -> list[Peer]:
    """The peers of these names that there are; `given` has programs by name, the PATH has the others.

    A program that is given has to be what its name says; one that isn't found is told to `skip`.

    Raises:
        BenchError: a program that was given is another, or none of the peers is there.
    """
    found = []
    for name in names:
        kind = KINDS[name]
        program = given.get(name) or shutil.which(kind.program) or ""
        version = version_of(program, kind) if program else ""
        if version:
            found.append(Peer(name, program, version))
        elif name in given:
            raise BenchError(f"{program} is not {kind.product} {kind.major}")
        else:
            skip(f"{name} is skipped: no {kind.product} {kind.major} on the PATH (--{name} PATH names one)")
    if not found:
        raise BenchError("none of the peers is installed")
    return found


def version_of(program: str, kind: Kind) -> str:
    """The version that a program tells, "" when it isn't of this kind or doesn't run."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=VERSION_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    product, _, rest = done.stdout.partition(" server v=")
    version = rest.partition(" ")[0]
    return version if product == kind.product and version.startswith(f"{kind.major}.") else ""


def title(peers: Sequence[Peer]) -> str:
    """What is compared with, in words."""
    return ", ".join(f"{KINDS[peer.name].product} {peer.version}" for peer in peers)
