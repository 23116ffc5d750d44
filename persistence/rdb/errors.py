"""The one error of this package."""

from __future__ import annotations


class RdbError(ValueError):
    """Input which is not valid RDB: says what is wrong, and at which byte when that is known."""

    def __init__(self, reason: str, offset: int = -1) -> None:
        super().__init__(reason if offset < 0 else f"{reason} (at offset {offset})")
        self.reason = reason
        self.offset = offset

    def at(self, offset: int) -> RdbError:
        """The same error, placed: an offset known inside a value is of no use to whoever holds the file."""
        return RdbError(self.reason, offset)


class Short(Exception):
    """Not an error: reading can go on when the buffer reaches up to position `need`."""

    def __init__(self, need: int) -> None:
        super().__init__(need)
        self.need = need
