"""Orders of faults that chance brings about seldom: each is what one rule of the quorum is there for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from simulation.whole.clients import FAILURES, Connection
from simulation.whole.cluster import Cluster
from simulation.whole.faults import Faults
from simulation.whole.loop import Process
from simulation.whole.programs import NODE_PORT, quorum_of

Plot = Callable[[Faults, Cluster], Awaitable[None]]


async def forget(faults: Faults, cluster: Cluster) -> None:
    """Whoever acknowledged a write beside the leader forgets it, the leader dies, and who is left never had it.

    No more than a minority forgets, so nothing may be lost: those that are left are no majority without the leader.
    """
    leader, rng, network = cluster.leader(), cluster.world.rng, cluster.world.network
    assert leader is not None
    others = [ip for ip in cluster.node_ips if ip != leader]
    rng.shuffle(others)
    near, behind = others[: len(others) // 2], others[len(others) // 2 :]
    network.separate(behind, [leader, *near])
    await asyncio.sleep(0.3 + rng.random() * 1.5)  # less than it takes to call somebody dead, most of the time
    for ip in near:
        faults.forget(ip)
    cluster.nodes[leader].die()
    network.mend()
    await asyncio.sleep(rng.random() * 0.5)
    for ip in near:
        if not cluster.nodes[ip].alive:
            cluster.start(ip)
    await asyncio.sleep(1 + rng.random() * 6)


async def cut_off(faults: Faults, cluster: Cluster) -> None:
    """A leader and its clients are cut off from the rest with too few followers, one of which comes back later.

    Both sides go on: the leader's log grows by what nobody acknowledges, while the others choose another.
    """
    leader, rng, network = cluster.leader(), cluster.world.rng, cluster.world.network
    assert leader is not None
    others = [ip for ip in cluster.node_ips if ip != leader]
    rng.shuffle(others)
    with_it = others[: len(others) // 2]
    clients = [ip for ip in cluster.clients if rng.random() < 0.5]
    rest = [ip for ip in cluster.machines() if ip not in (leader, *with_it)]
    rest += [ip for ip in cluster.clients if ip not in clients]
    if rng.random() < 0.5:  # its followers promise somebody else, and hear it all the same
        network.separate([leader], [ip for ip in rest if ip not in cluster.clients])
    else:
        network.separate([leader, *with_it, *clients], rest)
    await asyncio.sleep(1 + rng.random() * 5)
    for ip in with_it:
        if rng.random() < 0.5:
            cluster.nodes[ip].die()
            cluster.start(ip)
    network.mend()
    await asyncio.sleep(rng.random() * 2)


async def overtake(faults: Faults, cluster: Cluster) -> None:
    """A leader that is cut off writes much that nobody acknowledges; the next one dies after its first few writes.

    The longer log is the older one's: who has the next one's few writes has to lead.
    """
    leader, rng, world = cluster.leader(), cluster.world.rng, cluster.world
    assert leader is not None
    others = [ip for ip in cluster.node_ips if ip != leader]
    rng.shuffle(others)
    lone = [leader, *others[: len(others) // 2 - (rng.random() < 0.5)]]
    world.network.separate(lone, [ip for ip in (*cluster.machines(), *cluster.clients) if ip not in lone])

    async def burst(process: Process) -> int:
        with suppress(*FAILURES):
            connection = await Connection.open(leader, NODE_PORT)
            await connection.many([("RPUSH", "burst", number) for number in range(rng.randrange(10, 60))])
        return 0

    world.host("10.0.4.3").spawn("burst", burst)
    before = cluster.notes.acknowledged()
    for _ in range(400):
        await asyncio.sleep(0.02)
        new = [ip for ip in others if (found := quorum_of(cluster.nodes[ip])) is not None and found.node.leading]
        if new and cluster.notes.acknowledged() > before:
            for ip in new:
                cluster.nodes[ip].die()
            break
    world.network.mend()
    await asyncio.sleep(1 + rng.random() * 5)


PLOTS: dict[str, Plot] = {"forget": forget, "cut off": cut_off, "overtake": overtake}
