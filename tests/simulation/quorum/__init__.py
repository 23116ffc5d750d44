"""The quorum protocol tried by schedules: its specification, the real machines, and an oracle that knows neither.

A schedule is a list of atomic actions. Those that aren't possible are skipped, so any part of a schedule is one, and
a schedule that breaks something can be shortened. Loss, delay, reordering and partition need no actions of their
own: they are what a schedule does late, or never.
"""
