"""Quorum durability: a write is acknowledged once a majority of the group's data nodes hold it. Pure.

`node.QuorumNode` is one node's part in the protocol; `choice` is what the sentinel that leads an epoch decides;
the other files are what both rest on. Nothing here knows sockets, files, clocks or randomness.
"""
