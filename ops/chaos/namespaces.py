"""The network as Linux namespaces: each place has its own, joined by a bridge.

All of it, and every process, lives in namespaces that `unshare` made for this run (network, mounts, process ids; users
where we aren't root). So nothing of the machine is touched, and when the run ends, however it ends, the kernel
removes everything.

**Cuts.** Each place knows the others' hardware addresses by heart. A direction is cut by teaching the sender a wrong
one: its frames reach nobody, and nobody tells it, as when a cable is out. What is established stays so, and resumes.

**Rough links.** With netem where the kernel has it; else slow by a bucket of tokens (tbf), and lossy by short cuts in
both directions, at random.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

from ops.chaos.places import Pair, Place, places
from ops.cluster.processes import child_environment

NETWORK = "198.18.0"
"""Of the range that RFC 2544 reserves for benchmarks."""
NOBODY = "02:de:ad:00:00:00"
NETEM = "netem delay 40ms 30ms loss 4%"
TOKENS = "tbf rate 1mbit burst 8kb latency 300ms"
TRIAL_S = 10.0
LOST_S = (0.02, 0.12)
FINE_S = (0.1, 0.6)


def enter_words() -> list[str]:
    """The command that puts another one into namespaces of its own; it dies with us, and all in it."""
    users = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *users, "--net", "--mount", "--pid", "--fork", "--kill-child=TERM", "--mount-proc"]


def permitted() -> bool:
    """Whether this machine lets us make them: by trying, in namespaces that vanish at once."""
    if not sys.platform.startswith("linux") or not all(map(shutil.which, ("unshare", "nsenter", "ip", "mount"))):
        return False
    trial = "mount -t tmpfs tmpfs /run && mkdir /run/netns && ip netns add trial && ip link add trial type bridge"
    done = subprocess.run([*enter_words(), "sh", "-c", trial], capture_output=True, timeout=TRIAL_S, check=False)
    return done.returncode == 0


def enter(arguments: list[str]) -> None:
    """Become this command line again, inside of namespaces. Does not return."""
    words = [*enter_words(), sys.executable, "-m", "ops.cli", *arguments]
    os.execvpe(words[0], words, child_environment())


class Namespaces:
    """To be used inside of `enter`."""

    kind = "network namespaces"

    def __init__(self, seed: int) -> None:
        self.places = places(NETWORK)
        self.limits: tuple[str, ...] = ()
        self._random = random.Random(seed)
        self._cut: frozenset[Pair] = frozenset()
        self._dropped: frozenset[Pair] = frozenset()
        self._rough: frozenset[str] = frozenset()
        self._netem = False
        self._dropping: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Make bridge and places, and an address of our own from which every place is always reached."""
        self._make()

    def _make(self) -> None:
        _run("mount", "-t", "tmpfs", "tmpfs", "/run")
        Path("/run/netns").mkdir()
        lines = ["link set lo up", "link add chaos type bridge", "link set chaos up",
                 f"addr add {NETWORK}.1/24 dev chaos"]  # fmt: skip
        lines += [f"netns add {place.name}" for place in self.places]
        for place in self.places:
            lines += [f"link add {_port(place)} type veth peer name eth0 netns {place.name}",
                      f"link set {_port(place)} master chaos up"]  # fmt: skip
        _ip("", lines)
        for place in self.places:
            knows = [f"neigh replace {other.address} lladdr {_hardware(other)} nud permanent dev eth0"
                     for other in self.places if other != place]  # fmt: skip
            _ip(place.name, [f"link set eth0 address {_hardware(place)}", f"addr add {place.address}/24 dev eth0",
                             "link set eth0 up", "link set lo up", *knows])  # fmt: skip
        trial = subprocess.run(
            ["tc", "qdisc", "add", "dev", "lo", "root", *NETEM.split()], capture_output=True, check=False
        )
        self._netem = trial.returncode == 0
        if self._netem:
            _run("tc", "qdisc", "del", "dev", "lo", "root")
        self.kind = f"network namespaces ({'netem' if self._netem else 'no netem: tokens and short cuts'})"

    async def close(self) -> None:
        """Mend what is cut. The kernel removes the rest with our last process."""
        await self.shape(frozenset(), frozenset())

    def command(self, place: Place, words: list[str]) -> list[str]:
        """Start it within the place's namespace."""
        return ["nsenter", f"--net=/run/netns/{place.name}", *words]

    def listen(self, place: Place) -> int:
        """The port that others use: nothing is between."""
        return place.port

    async def serves(self, place: Place, is_up: bool) -> None:
        """The kernel answers for a process that has ended."""

    async def shape(self, cut: frozenset[Pair], rough: frozenset[str]) -> None:
        """Cut, and make rough, just these."""
        if self._dropping is not None:
            self._dropping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._dropping
            self._dropping = None
        for place in self.places:
            if (place.name in rough) != (place.name in self._rough):
                self._roughen(place, place.name in rough)
        self._rough, self._cut = rough, cut
        self._apply(cut)
        if rough and not self._netem:
            self._dropping = asyncio.create_task(self._drop())

    def _roughen(self, place: Place, on: bool) -> None:
        rule = (NETEM if self._netem else TOKENS).split() if on else []
        _run("tc", "qdisc", "add" if on else "del", "dev", _port(place), "root", *rule)
        _run("tc", "-n", place.name, "qdisc", "add" if on else "del", "dev", "eth0", "root", *rule)

    async def _drop(self) -> None:
        """Lose what is sent by or to the rough, for moments."""
        while True:
            await asyncio.sleep(self._random.uniform(*FINE_S))
            moment = {(a.name, b.name) for a in self.places for b in self.places
                      if a != b and {a.name, b.name} & self._rough}  # fmt: skip
            self._apply(self._cut | moment)
            await asyncio.sleep(self._random.uniform(*LOST_S))
            self._apply(self._cut)

    def _apply(self, cut: frozenset[Pair]) -> None:
        """Teach each sender what has changed."""
        for sender in self.places:
            lines = [
                f"neigh replace {to.address} lladdr {NOBODY if pair in cut else _hardware(to)} nud permanent dev eth0"
                for to in self.places
                if ((pair := (sender.name, to.name)) in cut) != (pair in self._dropped)
            ]
            if lines:
                _ip(sender.name, lines)
        self._dropped = cut


def _hardware(place: Place) -> str:
    return "02:00:00:00:00:" + place.address.rsplit(".", 1)[1].zfill(2)


def _port(place: Place) -> str:
    """The bridge's end of a place's cable."""
    return f"to-{place.name}"


def _ip(namespace: str, lines: list[str]) -> None:
    where = ["-n", namespace] if namespace else []
    _run("ip", *where, "-batch", "-", text="\n".join(lines) + "\n")


def _run(*words: str, text: str = "") -> None:
    subprocess.run(words, input=text, text=True, capture_output=True, check=True)
