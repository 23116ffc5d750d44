"""The failover monitor: `monitor` decides, pure; `runner` has the sockets, the file and the timer.

What it knows is in `world`; who is down is judged in `detector`, who may lead in `election`, whom to promote in
`selection`; `failover` goes through the steps, `discovery` and `reconcile` take in what peers and nodes say.
"""
