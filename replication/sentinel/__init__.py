"""The failover monitor, in five rooms; each imports only from those before it.

`world`: what is known, and the invariants of it. `options`: the table of options, and the file. `mind`: the pure
machine, `Monitor.step(event, now) -> actions` (who is down: `detector`; who may lead: `election`; whom to promote:
`selection`; the stages of a failover: `failover`; what nodes say: `reconcile`; what peers say: `discovery`; what
operators want: `steering`). `shell`: sockets, the resolver, the state file, scripts, one timer. `commands`: SENTINEL
and the few others that are served.
"""
