"""Redis's own test suite, run against our server: how much of "Redis-compatible" is true.

The suite comes from Debian's redis source package and stays in a cache folder outside of the repository
(`source`). Each unit runs in a copy of it, in which a wrapper that starts our server takes the place of
``src/redis-server`` (`tree`). Units run one after the other with a single client; a test that hangs or ends
the unit is counted as failed and skipped in a rerun (`runner`), and the suite's output is read by `output`.
The same harness runs Debian's own redis-server, whose counts are the baseline (`scoreboard`).

    python -m ops.conformance                      every unit, scoreboard rewritten
    python -m ops.conformance --unit unit/type/list    one unit, its failures shown
    python -m ops.conformance --sentinel           its tests of Sentinel, `sentinels`; --ours says which side
    python -m ops.conformance --peer               the baseline again
"""
