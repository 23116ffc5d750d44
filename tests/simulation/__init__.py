"""Sentinels under simulation: one seed chooses configuration, schedule and faults; time is virtual.

`clock` runs events in order; `network` carries bytes between hosts, late, or not at all; `nodes` are data
nodes as sentinels see them; `sentinels` are the real decisions in a shell without a process; `checkers` watch
for what must never happen; `faults` choose what breaks; `story` puts one run together.

    PYTHONPATH=tests python -m simulation --seconds 60
"""
