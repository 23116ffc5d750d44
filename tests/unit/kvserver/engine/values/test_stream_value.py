"""Streams and the ordered map below them, against plain Python."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings, strategies as st

from kvserver.engine.values.id_map import CHUNK, MAX_ID, MIN_ID, IdMap, next_id, previous_id
from kvserver.engine.values.stream_groups import UNKNOWN, Consumer, Group
from kvserver.engine.values.stream_value import StreamValue

ids = st.tuples(st.integers(0, 40), st.integers(0, 30))


def streamed(count: int, node_entries: int = 10) -> StreamValue:
    value = StreamValue()
    for i in range(1, count + 1):
        value.append((i, 0), [b"f", b"%d" % i], node_entries, 4096)
    return value


def content(value: Any) -> list[Any]:
    groups = []
    for group in value.sorted_groups():
        owned = [(consumer.name, list(consumer.pending)) for consumer in group.sorted_consumers()]
        groups.append((group.name, group.last_id, group.entries_read, list(group.pending.items()), owned))
    return [list(value), len(value), value.last_id, value.first_id, value.max_deleted_id, value.entries_added, groups]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(ids, st.sampled_from("ssssspp")), max_size=900), ids, ids)
def test_an_ordered_map_is_one(steps: list[tuple[tuple[int, int], str]], low: Any, high: Any) -> None:
    """Whatever is stored and removed, the map holds what a dict would, in order; a clone keeps its own."""
    ordered = IdMap()
    plain: dict[Any, int] = {}
    clone, kept = ordered.clone(), dict(plain)
    for number, (key, step) in enumerate(steps):
        if step == "s":
            assert ordered.set(key, number) == (key not in plain)
            plain[key] = number
        else:
            assert ordered.pop(key) == plain.pop(key, None)
        if number == len(steps) // 2:
            clone, kept = ordered.clone(), dict(plain)
    assert list(ordered.items()) == sorted(plain.items())
    assert len(ordered) == len(plain)
    assert list(clone.items()) == sorted(kept.items())
    assert list(ordered.items(low, high)) == [pair for pair in sorted(plain.items()) if low <= pair[0] <= high]
    assert list(ordered.walk(low)) == list(ordered.items(low))
    assert all(ordered.get(key) == value for key, value in plain.items())


def test_chunks_stay_small() -> None:
    """No chunk grows beyond its size, whichever way the ids come, and a map made at once is the same."""
    ordered = IdMap()
    for i in [*range(1000), *range(3000, 1000, -1)]:
        ordered.set((i, 0), i)
    assert max(len(chunk.ids) for chunk in ordered.chunks) <= CHUNK
    assert list(IdMap.of(list(ordered.items())).items()) == list(ordered.items())
    assert (ordered.first(), ordered.last()) == ((0, 0), (3000, 0))


def test_walking_while_removing() -> None:
    """What has been given out by a walk may be removed meanwhile."""
    ordered = IdMap.of([((i, 0), i) for i in range(1000)])
    for key, _ in ordered.walk((10, 0)):
        assert ordered.pop(key) is not None
    assert len(ordered) == 10


def test_neighbouring_ids() -> None:
    """An id's neighbours carry over between sequence and milliseconds, and end at the edges."""
    assert next_id((1, 2**64 - 1)) == (2, 0)
    assert previous_id((2, 0)) == (1, 2**64 - 1)
    assert next_id(MAX_ID) is None
    assert previous_id(MIN_ID) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 60), max_size=30), st.integers(0, 60), st.integers(0, 60), st.booleans())
def test_entries_deleted_and_trimmed(gone: list[int], low: int, most: int, whole: bool) -> None:
    """After deletions and trims a stream holds the entries that remain, in both directions."""
    value = streamed(60)
    left = list(range(1, 61))
    for i in gone:
        assert value.delete((i, 0)) == (i in left)
        left = [j for j in left if j != i]
    trimmed = value.trim_to_length(most, whole, 0)
    if not whole:
        assert trimmed == max(len(left) - most, 0)
    left = left[trimmed:]
    trimmed = value.trim_below((low, 0), whole, 0)
    if not whole:
        assert trimmed == len([j for j in left if j < low])
    left = left[trimmed:]
    assert [entry[0] for entry, _ in value] == left
    assert [entry[0] for entry, _ in value.entries((5, 0), (20, 0), True)] == [j for j in left[::-1] if 5 <= j <= 20]
    assert len(value) == len(left)
    assert value.last_id == (60, 0)
    if trimmed:
        assert value.first_id == ((left[0], 0) if left else MIN_ID)


def test_about_means_whole_nodes() -> None:
    """Trimming about removes nodes, never a part of one, and not more entries than the limit."""
    value = streamed(95)
    assert value.trim_to_length(42, True, 0) == 50
    assert value.trim_to_length(0, True, 25) == 20
    assert value.trim_below((1000, 0), True, 0) == 25
    assert (len(value), value.first_kept_id()) == (0, MAX_ID)


def test_nodes_are_bounded_by_bytes() -> None:
    """An entry that would make a node too large begins another one."""
    value = StreamValue()
    for i in range(1, 21):
        value.append((i, 0), [b"f", b"x" * 1000], 100, 4096)
    assert [len(node.ids) for node in value.nodes] == [4, 4, 4, 4, 4]


def test_copies_keep_what_they_saw() -> None:
    """A frozen view and a clone don't change with their stream, nor the stream with its clone."""
    value = streamed(50)
    group = value.groups[b"g"] = Group(b"g", (20, 0), 20)
    consumer = group.consumers[b"c"] = Consumer(b"c", 1)
    for i in range(1, 21):
        group.deliver((i, 0), consumer, 5, 1)
    before = content(value)
    view, twin = value.freeze(), value.clone()
    value.append((99, 0), [b"f", b"x"], 10, 4096)
    value.delete((7, 0))
    value.trim_to_length(20, False, 0)
    group.forget((3, 0))
    group.remove_consumer(b"c")
    group.last_id = (30, 0)
    assert content(view) == before
    assert content(twin) == before
    after = content(value)
    twin.groups[b"g"].forget((4, 0))
    twin.delete((45, 0))
    assert content(value) == after


def test_pending_entries_change_hands() -> None:
    """An entry is pending for one consumer at a time, and goes with it."""
    group = Group(b"g", MIN_ID, UNKNOWN)
    one, two = (group.consumers.setdefault(name, Consumer(name, 0)) for name in (b"one", b"two"))
    for i in range(5):
        group.deliver((i, 0), one, 10, 1)
    group.deliver((2, 0), two, 20, 2)
    assert list(one.pending) == [(0, 0), (1, 0), (3, 0), (4, 0)]
    assert group.pending.get((2, 0)) == (b"two", 20, 2)
    assert group.forget((0, 0))
    assert not group.forget((0, 0))
    assert group.remove_consumer(b"one") == 3
    assert list(group.pending) == [(2, 0)]


def test_lag() -> None:
    """The lag is what was added less what was read, unknown when entries in between were deleted."""
    value = streamed(10)
    group = Group(b"g", MIN_ID, UNKNOWN)
    assert value.lag(group) == 10
    for i in range(1, 5):
        value.advance(group, (i, 0))
    assert (group.entries_read, value.lag(group)) == (4, 6)
    value.delete((7, 0))
    value.max_deleted_id = (7, 0)
    assert value.lag(group) is None
    for i in (5, 6, 8, 9, 10):
        value.advance(group, (i, 0))
    assert value.lag(group) == 0
    assert StreamValue().lag(Group(b"g", MIN_ID, UNKNOWN)) == 0


def test_freed_in_slices() -> None:
    """A stream lets go of all it holds, a part at a time."""
    value = streamed(500)
    group = value.groups[b"g"] = Group(b"g", MIN_ID, 0)
    consumer = group.consumers[b"c"] = Consumer(b"c", 0)
    for i in range(1, 500):
        group.deliver((i, 0), consumer, 0, 1)
    steps = 0
    while value.shrink():
        steps += 1
    assert steps > 50
    assert not value.groups
