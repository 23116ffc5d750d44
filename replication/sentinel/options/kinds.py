"""What the value of an option may be: how it is read from a text, and how it is shown and written.

A value that doesn't fit is refused with the words that Redis has for it in a configuration file; commands have
words of their own (`commands.steer`).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from replication.sentinel.world.world import RUN_ID_LENGTH

MAX_NUMBER = 2**63 - 1


class DirectiveError(ValueError):
    """A statement that can't be honoured; the text says why."""


class Kind(Protocol):
    """The set of values of an option. `option` is its name, for the text of an error."""

    def read(self, text: str, option: str) -> object:
        """The value that a text stands for. Raises DirectiveError."""

    def show(self, value: object) -> str:
        """The text that `read` takes for this value."""


def to_int(text: str) -> int:
    """A decimal integer as Redis writes it: no plus sign, no blanks, no underscores. Raises DirectiveError."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19:
        raise DirectiveError(f"argument must be a number, not '{text}'.")
    return int(text)


class Number(NamedTuple):
    """An integer from `low` to `high`; `refusal` is said of any other, with `{}` for its text."""

    low: int
    refusal: str
    high: int = MAX_NUMBER

    def read(self, text: str, option: str) -> int:
        """The number. Raises DirectiveError if it is none, or out of range."""
        value = to_int(text)
        if not self.low <= value <= self.high:
            raise DirectiveError(self.refusal.format(text))
        return value

    def show(self, value: object) -> str:
        """Its decimal digits."""
        return str(value)


class YesNo:
    """Yes or no, in either case."""

    def read(self, text: str, option: str) -> bool:
        """True for yes. Raises DirectiveError for anything but yes and no."""
        if text.lower() not in ("yes", "no"):
            raise DirectiveError(f"Please specify yes or no for the {option} option.")
        return text.lower() == "yes"

    def show(self, value: object) -> str:
        """The word."""
        return "yes" if value else "no"


class Text:
    """Any text; the empty one means that there is no value."""

    def read(self, text: str, option: str) -> str | None:
        """The text itself, None if it is empty."""
        return text or None

    def show(self, value: object) -> str:
        """The text, empty for None."""
        return str(value or "")


class RunId:
    """The id of a sentinel."""

    def read(self, text: str, option: str) -> str:
        """The id. Raises DirectiveError if it is too short or too long."""
        if len(text) != RUN_ID_LENGTH:
            raise DirectiveError(f"Malformed Sentinel id in {option} option.")
        return text

    def show(self, value: object) -> str:
        """The id."""
        return str(value)


PERIOD = Number(1, "negative or zero time parameter.")
"""Milliseconds, or a count, of at least one."""
DELAY = Number(0, "negative time parameter.")
"""Milliseconds; 0 turns off what would happen after them."""
PORT = Number(0, "Invalid port number.", 65535)
EPOCH = Number(0, "epoch out of range: '{}'.")
QUORUM = Number(1, "Quorum must be 1 or greater.")
"""How many sentinels must agree."""
