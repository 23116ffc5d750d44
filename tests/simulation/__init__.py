"""Nodes and sentinels under simulation: one seed chooses configuration, schedule and faults; time is virtual.

`clock` runs events in order; `network` carries messages between hosts, late, or not at all; `nodes` are the real
role, history and backlog of data nodes, `sentinels` the real decisions, in shells without a process; `checkers` watch
for what must never happen; `faults` choose what breaks; `story` puts one run together.

    PYTHONPATH=tests python -m simulation --seconds 60
"""
