"""Real processes under real faults: `kvops bench chaos`.

Three hosts, on each a data node, a sentinel and clients, each of these nine with a network address of its own; faults
from a table, chosen by a seed; clients that write down what they asked and what they were told; and at the end the
judges of `ops.histories`. The same faults strike Redis with its Sentinel in the same run.

- what is planned       `places`, `faults`, `workloads`: tables, pure
- what happens          `namespaces` or `proxy` (the network), `deployment` (processes), `oversight` (asks and steers),
                        `director` (carries faults out), `worker` and `caller` (a process of clients)
- what is concluded     `records`, `verdicts`, `tables`: pure

Nothing here knows how a server replicates: it is judged by what its clients saw.
"""
