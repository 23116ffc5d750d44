"""One log, many copies: a primary's side (`hub`, `feeder`), a replica's (`link`), and what both decide, pure.

`history` says whose bytes they are, `backlog` keeps the last of them, `psync` decides between continuing and a
full copy; `plugin.attach` adds it to a node. The failover monitor is a process of its own: `sentinel/`.
"""
