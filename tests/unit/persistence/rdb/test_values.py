"""Values of the engine, built element by element as a file brings them."""

from __future__ import annotations

import random

import pytest

from kvserver.engine.values.limits import Limits
from kvserver.engine.values.types import ZSetValue
from persistence.rdb.read.values import EngineBuilders


@pytest.mark.parametrize("order", ["descending", "ascending", "shuffled", "descending, but for the last"])
@pytest.mark.parametrize("size", [1, 2, 511, 512, 513, 2000])
def test_a_sorted_set_is_in_order_whatever_order_it_came_in(order: str, size: int) -> None:
    """Read in any order, members stand where inserting them one by one would have put them."""
    pairs = sorted((float(i % 700), b"m%d" % i) for i in range(size))
    came = list(pairs)
    if order.startswith("descending"):
        came.reverse()
    if order == "shuffled":
        random.Random(size).shuffle(came)
    if order.endswith("last"):
        came.append(came.pop(0))
    builders = EngineBuilders(Limits())
    filler = builders.zset()
    for score, member in came:
        assert filler.put(member, score)
    value = builders.finished(filler)
    assert isinstance(value, ZSetValue)
    assert list(value.order) == pairs
    assert len(value) == size == len(value.order)
    assert value.encoding() == (b"skiplist" if size > Limits().zset_entries else b"listpack")
    assert value.rank(pairs[-1][1]) == size - 1
    assert value.discard(pairs[0][1])


def test_refused_duplicates_leave_no_trace_in_the_order() -> None:
    """A member that comes twice is refused while the order is still growing by appending."""
    filler = EngineBuilders(Limits()).zset()
    assert filler.put(b"a", 2.0)
    assert filler.put(b"b", 1.0)
    assert not filler.put(b"b", 0.5)
    assert len(filler) == 2
