"""Judges of what clients saw: a history of operations in, violations out. Pure.

Each file is one judge: `elements` (no acknowledged write is lost), `registers` (linearizability of each key),
`lists` (the order of appends, as every read shows it), `cycles` (transactions over several lists), `counters`
(bounds, and no step back). They know nothing of servers, workloads and faults, so that `kvops bench chaos` and the
simulation ask the same judges.

Times are integers of one clock, of any unit; an operation that ended by an error or by silence has no end, for it
may take effect at any later time, or never.
"""
