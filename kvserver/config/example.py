"""The annotated example configuration, printed from the option table."""

from __future__ import annotations

import textwrap

from kvserver.config.option import Option
from kvserver.config.table import OPTIONS

WIDTH = 100
_HEAD = """\
Example configuration. Every option is listed with its default; a line without # is in force.
Names, units and defaults are those of Redis 7.0. Sizes: 1k = 1000 bytes, 1kb = 1024 bytes, and so on.
"""


def example_config() -> str:
    """A complete file: loading it gives the defaults."""
    parts = [_comment(_HEAD)]
    section = ""
    for option in OPTIONS:
        if option.refused or option.inert:
            continue
        if option.section != section:
            section = option.section
            parts.append(f"\n\n######## {section} ########\n")
        parts.append(_entry(option))
    parts.append("\n\n######## Known but without effect here ########\n")
    without_effect: dict[str, list[str]] = {}
    for option in OPTIONS:
        if not option.hidden and option.refused:
            without_effect.setdefault(f"Default only; {option.refused}", []).append(option.name)
        elif not option.hidden and option.inert:
            without_effect.setdefault(f"Any value, no effect; {option.inert}", []).append(option.name)
    for reason, names in without_effect.items():
        parts.append("\n" + _comment(f"{reason}:\n{', '.join(names)}"))
    return "".join(parts)


def _entry(option: Option) -> str:
    notes = [option.doc]
    if option.aliases:
        notes.append(f"Also called {', '.join(option.aliases)}.")
    if option.ours:
        notes.append("Not an option of Redis.")
    if option.kind.shape not in ("", "text", "integer", "yes | no"):
        notes.append(f"Value: {option.kind.shape}")
    choices = getattr(option.kind, "choices", ())
    if choices:
        notes.append(f"One of {', '.join(choices)}.")
    if not option.mutable:
        notes.append("Fixed while running.")
    lines = [f"{option.name} {args}\n" for args in option.kind.lines(option.default_value())]
    unset = f"# {option.name} {option.kind.shape}\n"
    return f"\n{_comment(' '.join(notes))}{''.join(lines) or unset}"


def _comment(text: str) -> str:
    paragraphs = text.strip("\n").split("\n")
    return "".join(
        f"# {line}\n"
        for paragraph in paragraphs
        for line in textwrap.wrap(paragraph, WIDTH - 2, break_on_hyphens=False)
    )
