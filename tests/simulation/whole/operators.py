"""What people do to a deployment: orders that are wise, and some that aren't."""

from __future__ import annotations

from random import Random

from simulation.whole.clients import FAILURES, Connection
from simulation.whole.cluster import Cluster
from simulation.whole.loop import Process
from simulation.whole.programs import NODE_PORT, SENTINEL_PORT, quorum_of, replication_of


class Operators:
    """They act as a generator wants it."""

    def __init__(self, cluster: Cluster, rng: Random) -> None:
        self._cluster, self._world = cluster, cluster.world
        self._rng = rng
        self._quorum = cluster.plan.durability != "async"

    def leader(self) -> str | None:
        """A data node that thinks that it leads."""
        leading = [ip for ip, process in self._cluster.nodes.items()
                   if process.alive and (node := replication_of(process)) is not None and not node.is_replica]
        return self._rng.choice(leading) if leading else None

    def operate(self) -> None:
        """Do what only people do: appoint a primary, and put new members in the place of those that lost their data.

        A FAILOVER of data nodes, of which sentinels know nothing, may leave none that leads.
        """
        named = self._cluster.leader()
        if self._quorum:
            self._replace_member()
        elif named is not None and self.leader() is None:
            self._order(named, NODE_PORT, "REPLICAOF", "NO", "ONE")

    def _replace_member(self) -> None:
        quorums = {ip: found for ip, process in self._cluster.nodes.items()
                   if process.alive and (found := quorum_of(process)) is not None}
        ids = {found.node.node_id for found in quorums.values()}
        for ip, leader in quorums.items():
            if leader.node.leading is not None and len(leader.node.members.now) == 1:
                gone = sorted(leader.node.members.now[0] - ids)
                new = sorted(ids - leader.node.members.now[0])
                counted = leader.node.node_id not in new  # else it hands over first, by itself
                if gone and new and counted:
                    self._order(ip, NODE_PORT, "QUORUM", "REPLACE", gone[0], new[0])

    def meddle(self) -> str:
        """Somebody who doesn't know what a quorum is."""
        ip, other = self._rng.sample(self._cluster.node_ips, 2)
        orders = (("REPLICAOF", "NO", "ONE"), ("REPLICAOF", other, str(NODE_PORT)), ("FAILOVER",),
                  ("QUORUM", "PROMISE", str(self._rng.randrange(9)), "meddler"))
        return self._order(ip, NODE_PORT, *self._rng.choice(orders))

    def switch_over(self) -> str:
        """SENTINEL FAILOVER: the sentinel asks the others for no vote then."""
        self._cluster.on_forced()
        return self._order(self._rng.choice(self._cluster.sentinel_ips), SENTINEL_PORT, "SENTINEL", "FAILOVER", "main")

    def hand_over(self) -> str:
        """FAILOVER, of a data node."""
        ip = self.leader()
        return "nobody" if ip is None else self._order(ip, NODE_PORT, "FAILOVER", "TIMEOUT", "2000")

    def _order(self, ip: str, port: int, *words: str) -> str:
        async def main(process: Process) -> int:
            try:
                connection = await Connection.open(ip, port)
                process.host.world.say("ORDER", *words, await connection(*words))
            except FAILURES as failure:
                process.host.world.say("ORDER", *words, repr(failure))
            return 0

        self._world.host("10.0.4.2").spawn("order", main)
        return ip
