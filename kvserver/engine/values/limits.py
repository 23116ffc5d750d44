"""When the values of one node change their form: the thresholds, as its options set them."""

from __future__ import annotations


class Limits:
    """Thresholds of representations and sizes (entries, bytes). Every aggregate holds those of its node."""

    def __init__(self) -> None:
        self.hash_entries = 128
        self.hash_value = 64
        self.set_intset = 512
        self.zset_entries = 128
        self.zset_value = 64
        self.list_size = -2
        self.hll_sparse = 3000
        self.stream_bytes = 4096
        self.stream_entries = 100
        self.max_string = 512 * 1024 * 1024  # what a string may grow to, as proto-max-bulk-len says
        self.giants = False
        """No option: whether there has been an aggregate of thousands of elements. Until then nobody needs to look at
        what a string replaces."""
