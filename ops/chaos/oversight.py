"""The operator: asks nodes and sentinels how they are, hears of failovers, and steers. Never cut off from anybody."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import hiredis

from ops.chaos.caller import Link
from ops.chaos.places import HOSTS, SERVICE, Network, Place
from ops.chaos.records import Failover
from ops.chaos.workloads import Command, whole

PATIENCE_S = 0.5
READ_S = 10.0
LISTEN_S = 0.1
BATCH = 8
LAG_BYTES = 50_000
"""A replica that is no more behind than this follows: some of it is always on its way."""
FAILURES = (OSError, TimeoutError)


@dataclass
class Operator:
    """Asks on connections of its own, one for each question."""

    network: Network
    is_quorum: bool
    failovers: dict[int, Failover] = field(default_factory=dict)
    """By configuration epoch."""
    switched: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with each failover that is heard of."""
    _ears: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Begin to hear of failovers."""
        sentinels = [place for place in self.network.places if place.kind == "sentinel"]
        self._ears = [asyncio.create_task(self._listen(place)) for place in sentinels]

    async def close(self) -> None:
        """Hear no more."""
        for ear in self._ears:
            ear.cancel()
        await asyncio.gather(*self._ears, return_exceptions=True)

    async def ask(self, place: Place, *command: str, patience_s: float = PATIENCE_S) -> Any:
        """One reply, None where there is none; errors are replies, too."""
        with contextlib.suppress(*FAILURES):
            link = await Link.dial((place.address, place.port), "", patience_s)
            try:
                return (await link.ask([command], patience_s))[0]
            finally:
                link.close()
        return None

    async def info(self, place: Place) -> dict[str, str]:
        """INFO's fields; none where nobody answers."""
        reply = await self.ask(place, "INFO")
        if not isinstance(reply, str):
            return {}
        return dict(line.split(":", 1) for line in reply.splitlines() if ":" in line)

    async def nodes(self) -> dict[int, Mapping[str, str]]:
        """INFO of each data node, by its host."""
        places = [place for place in self.network.places if place.kind == "node"]
        return dict(zip(HOSTS, await asyncio.gather(*map(self.info, places)), strict=True))

    async def settled(self) -> tuple[int, int] | None:
        """The hosts of the primary and of its best replica, if all is well and everybody agrees; else None."""
        nodes = await self.nodes()
        complaint = complaints(nodes, await self._views(), self.network, self.is_quorum)
        if complaint:
            self.complaint = complaint
            return None
        lead = next(host for host in HOSTS if nodes[host]["role"] == "master")
        others = [host for host in HOSTS if host != lead]
        return lead, max(others, key=lambda host: int(nodes[host]["slave_repl_offset"]))

    complaint: str = ""
    """Why it was not settled when it was asked last."""

    async def _views(self) -> list[dict[str, str]]:
        """What each sentinel says of the primary."""
        places = [place for place in self.network.places if place.kind == "sentinel"]
        replies = await asyncio.gather(*(self.ask(place, "SENTINEL", "MASTER", SERVICE) for place in places))
        return [dict(zip(r[::2], r[1::2], strict=False)) if isinstance(r, list) else {} for r in replies]

    async def until_settled(self, limit_s: float) -> tuple[int, int] | None:
        """Wait for it: twice in a row it has to be well."""
        deadline_s = time.monotonic() + limit_s
        before = None
        while time.monotonic() < deadline_s:
            found = await self.settled()
            if found is None and self.is_quorum:
                await self._replace_members()
            if found is not None and before is not None and found[0] == before[0]:
                return found
            before = found
            await asyncio.sleep(LISTEN_S)
        return None

    async def _replace_members(self) -> None:
        """A member that came back without its data is another one: have it take the old one's place."""
        for place in self.network.places:
            if place.kind != "node":
                continue
            rows = await self.ask(place, "QUORUM", "MEMBERS")
            replacement = replaceable(rows) if isinstance(rows, list) else None
            if replacement is not None:
                await self.ask(place, "QUORUM", "REPLACE", *replacement)

    async def elements(self, host: int) -> set[str] | None:
        """Every element of every set and list of a node; None if it doesn't answer."""
        place = next(p for p in self.network.places if p.kind == "node" and p.host == host)
        found: set[str] = set()
        with contextlib.suppress(*FAILURES):
            link = await Link.dial((place.address, place.port), "", PATIENCE_S)
            try:
                (keys,) = await link.ask([("KEYS", "*:*")], READ_S)
                for start in range(0, len(keys), BATCH):
                    commands = [command for key in keys[start : start + BATCH] if (command := whole(key))]
                    for reply in await link.ask(commands, READ_S):
                        found.update(reply)
                return found
            finally:
                link.close()
        return None

    async def switch_over(self) -> str:
        """Ask the sentinels, one after the other, to hand over; what the last one said if none of them does."""
        reply: Any = None
        for place in self.network.places:
            if place.kind == "sentinel":
                reply = await self.ask(place, "SENTINEL", "FAILOVER", SERVICE)
                if reply == "OK":
                    return ""
        return str(reply or "no answer")

    async def _listen(self, place: Place) -> None:
        command: Command = ("SUBSCRIBE", "+switch-master")
        while True:
            with contextlib.suppress(*FAILURES):
                link = await Link.dial((place.address, place.port), "", PATIENCE_S)
                try:
                    await link.ask([command], PATIENCE_S)
                    while True:
                        _, _, message = await link.hear()
                        await self._switched(place, message.split(), time.monotonic_ns())
                finally:
                    link.close()
            await asyncio.sleep(LISTEN_S)

    async def _switched(self, place: Place, words: list[str], when: int) -> None:
        view = await self.ask(place, "SENTINEL", "MASTER", SERVICE)
        if isinstance(view, list) and not isinstance(view, hiredis.ReplyError):
            fields = dict(zip(view[::2], view[1::2], strict=False))
            epoch, address = int(fields["config-epoch"]), f"{words[3]}:{words[4]}"
            if address == f"{fields['ip']}:{fields['port']}" and epoch not in self.failovers:
                self.failovers[epoch] = Failover(epoch, address, when)
                self.switched.set()


def replaceable(rows: list[list[Any]]) -> tuple[str, str] | None:
    """Of a leader's members one that isn't there, and a candidate that is; None if there aren't both."""
    members = [dict(zip(row[::2], row[1::2], strict=False)) for row in rows]
    if not any(each["role"] == "leader" for each in members):
        return None
    gone = [each["id"] for each in members if each["role"] == "member" and each["state"] == "unknown"]
    new = [each["id"] for each in members if each["role"] == "candidate" and each["state"] == "up"]
    return (gone[0], new[0]) if gone and new else None


def complaints(
    nodes: Mapping[int, Mapping[str, str]], views: list[dict[str, str]], network: Network, is_quorum: bool
) -> str:
    """What isn't as it should be, "" if all is."""
    leads = [host for host in HOSTS if nodes[host].get("role") == "master"]
    if not all(nodes.values()) or len(leads) != 1:
        return f"of {sum(map(bool, nodes.values()))} nodes that answer {len(leads)} lead"
    primary = next(p for p in network.places if p.kind == "node" and p.host == leads[0])
    for host in HOSTS:
        if host == leads[0]:
            continue
        follows = nodes[host].get("master_host"), nodes[host].get("master_port")
        if follows != (primary.address, str(primary.port)) or nodes[host].get("master_link_status") != "up":
            return f"node-{host} does not follow node-{leads[0]}"
        lag = int(nodes[leads[0]].get("master_repl_offset", 0)) - int(nodes[host].get("slave_repl_offset", 0))
        if lag > LAG_BYTES:
            return f"node-{host} is {lag} bytes behind node-{leads[0]}"
    if is_quorum and (nodes[leads[0]].get("quorum_committed"), nodes[leads[0]].get("quorum_reach")) != ("1", "3"):
        return f"node-{leads[0]} leads without all of its members: {nodes[leads[0]].get('quorum_reason')}"
    for host, view in zip(HOSTS, views, strict=True):
        found = view.get("ip"), view.get("port"), view.get("flags")
        if found != (primary.address, str(primary.port), "master"):
            return f"sentinel-{host} sees {' '.join(map(str, found))}"
        if int(view.get("num-slaves", 0)) < 2 or int(view.get("num-other-sentinels", 0)) != 2:
            return f"sentinel-{host} knows too few or too many others"
    return ""
