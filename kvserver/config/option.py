"""One row of the option table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kvserver.config.kinds import Kind


@dataclass(frozen=True, slots=True)
class Option:
    """A setting: its names, its values, its default, and whether it does what Redis's does.

    `default` is text as a file would have it. `mutable`: CONFIG SET may change it; `protected`: only when
    enable-protected-configs allows; `hidden`: CONFIG GET needs its exact name; `sensitive`: never logged.

    `refused` says why values other than the default and those in `accepts` are an error. `inert` says why
    any value is taken though none changes anything; one that isn't the default is warned about at start-up.

    `volatile`: the value names a file whose content may have changed, so that setting it again is a change.
    """

    name: str
    kind: Kind
    default: str
    doc: str
    aliases: tuple[str, ...] = ()
    section: str = ""
    mutable: bool = True
    protected: bool = False
    hidden: bool = False
    sensitive: bool = False
    refused: str = ""
    accepts: tuple[str, ...] = ()
    inert: str = ""
    ours: bool = False
    volatile: bool = False

    @property
    def attribute(self) -> str:
        """The name of the Config attribute that holds the value."""
        return self.name.replace("-", "_")

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases, the name first."""
        return (self.name, *self.aliases)

    def default_value(self) -> Any:
        """The typed default."""
        args = self.default.split(" ") if self.kind.multi else [self.default]
        return self.kind.combine(None, self.kind.parse(args), repeated=False)

    def accepts_value(self, value: Any) -> bool:
        """Whether `value` is one this server lives up to (always, unless the option is refused)."""
        if not self.refused or value == self.default_value():
            return True
        return self.kind.show(value) in self.accepts


def in_section(section: str, rows: Iterable[Option]) -> tuple[Option, ...]:
    """The rows, marked as belonging to a section of the example configuration."""
    return tuple(_placed(row, section) for row in rows)


def _placed(row: Option, section: str) -> Option:
    fields = {name: getattr(row, name) for name in Option.__dataclass_fields__}
    return Option(**{**fields, "section": section})
