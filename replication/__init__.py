"""One log, many copies: a primary's side, a replica's, and what decides which of the two a node is.

`role` decides that, pure, and `shell` carries it out. `history` says whose bytes they are, `backlog` keeps the last
of them, `psync` decides between continuing and a full copy; `plugin.attach` adds it all to a node. The failover
monitor is a process of its own: `sentinel/`.
"""
