"""The consumer groups of a stream.

Theory of operation.  A group remembers the last id delivered and, in `pending`, what was delivered and not yet
acknowledged: id -> (consumer, when in Unix ms, how often).  `entries_read` counts what the group has read, -1 when
that can't be known; with the stream's `entries_added` it tells the lag.  Each consumer has the ids that are pending
for it.
"""

from __future__ import annotations

from kvserver.engine.values.id_map import Id, IdMap

UNKNOWN = -1
"""A group's entries_read when it can't be known."""
Nack = tuple[bytes, int, int]
"""A pending entry's consumer, time of delivery (Unix ms) and number of deliveries."""


class Consumer:
    """A consumer: when it was last seen (Unix ms), and what is pending for it."""

    def __init__(self, name: bytes, seen_ms: int) -> None:
        self.name = name
        self.seen_ms = seen_ms
        self.pending = IdMap()  # id -> True


class Group:
    """A consumer group; see the module's theory of operation."""

    def __init__(self, name: bytes, last_id: Id, entries_read: int) -> None:
        self.name = name
        self.last_id = last_id
        self.entries_read = entries_read
        self.pending = IdMap()  # id -> Nack
        self.consumers: dict[bytes, Consumer] = {}

    def deliver(self, entry: Id, consumer: Consumer, now_ms: int, count: int) -> None:
        """Make an entry pending for a consumer, whoever had it before."""
        known: Nack | None = self.pending.get(entry)
        if known is not None and known[0] != consumer.name:
            self.consumers[known[0]].pending.pop(entry)
        self.pending.set(entry, (consumer.name, now_ms, count))
        if known is None or known[0] != consumer.name:
            consumer.pending.set(entry, True)

    def forget(self, entry: Id) -> bool:
        """Take an entry out of the pending ones; True when it was there."""
        known: Nack | None = self.pending.pop(entry)
        if known is None:
            return False
        self.consumers[known[0]].pending.pop(entry)
        return True

    def remove_consumer(self, name: bytes) -> int:
        """Remove a consumer that is there, with what is pending for it; return how many entries that were."""
        consumer = self.consumers.pop(name)
        for entry in consumer.pending:
            self.pending.pop(entry)
        return len(consumer.pending)

    def shrink(self) -> bool:
        """Drop some of what is pending, or a consumer; False when nothing is left."""
        if self.pending.chunks:
            self.pending.chunks.pop()
            return True
        for name, consumer in self.consumers.items():
            if consumer.pending.chunks:
                consumer.pending.chunks.pop()
            else:
                del self.consumers[name]
            return True
        return False

    def sorted_consumers(self) -> list[Consumer]:
        """The consumers by name."""
        return [self.consumers[name] for name in sorted(self.consumers)]

    def clone(self) -> Group:
        """Return an independent copy, in O(consumers and chunks)."""
        twin = Group(self.name, self.last_id, self.entries_read)
        twin.pending = self.pending.clone()
        for name, consumer in self.consumers.items():
            copy = twin.consumers[name] = Consumer(name, consumer.seen_ms)
            copy.pending = consumer.pending.clone()
        return twin
