"""The values in force, and how they change: all of a CONFIG SET or nothing of it.

Values are plain attributes (`config.maxmemory`), so that reading one costs no call. Whoever must act on a
change registers a callback with `on_change`; it sees the new values, and by raising ConfigError refuses them,
upon which every value returns to what it was and the callbacks that had run already run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kvserver.config.kinds import ConfigError
from kvserver.config.option import Option
from kvserver.config.quoting import encode
from kvserver.config.settings import Settings
from kvserver.config.table import BY_NAME, OPTIONS
from kvserver.wire.glob import matcher

Callback = Callable[["Config"], None]


def refusal(option: Option) -> str:
    """The sentence for a value that Redis has and this server can't live up to."""
    return f"unsupported value, only '{option.kind.show(option.default_value())}' is: {option.refused}"


class Config(Settings):
    """Every option's value. Pure: reads no file, and knows of no server."""

    def __init__(self) -> None:
        self._callbacks: dict[str, list[Callback]] = {}
        for option in OPTIONS:
            setattr(self, option.attribute, option.default_value())

    def value(self, option: Option) -> Any:
        """The typed value of an option."""
        return getattr(self, option.attribute)

    def show(self, name: str) -> str:
        """The value as CONFIG GET replies it; KeyError when there is no such option."""
        option = BY_NAME[name]
        return option.kind.show(self.value(option))

    def get(self, patterns: Iterable[str]) -> list[tuple[str, str]]:
        """CONFIG GET: names and values matching any of the glob patterns, each name once.

        A pattern without wildcards is looked up in any case and returned as it was spelled.
        """
        found: dict[str, str] = {}
        for pattern in patterns:
            if not set("*?[") & set(pattern):
                if pattern.lower() in BY_NAME:
                    found.setdefault(pattern, self.show(pattern.lower()))
                continue
            matches = matcher(encode(pattern), ignore_case=True)
            for name, option in BY_NAME.items():
                if not option.hidden and matches(name.encode()):
                    found.setdefault(name, self.show(name))
        return list(found.items())

    def on_change(self, name: str, callback: Callback) -> None:
        """Have `callback(config)` called after `set` changed the option; it may raise ConfigError."""
        self._callbacks.setdefault(BY_NAME[name].name, []).append(callback)

    def set(self, pairs: Sequence[tuple[str, str]], *, protected_allowed: bool = False) -> None:
        """CONFIG SET: all pairs or none. Raises ConfigError with the whole reply text (`ERR ...`)."""
        options = self._settable(pairs, protected_allowed)
        old = [(option, self.value(option)) for option in options]
        name = ""
        try:
            for option, (_, text) in zip(options, pairs, strict=True):
                name = option.name
                args = text.split(" ") if option.kind.multi else [text]
                self.load_directive(option, args, repeated=False)
                if not option.accepts_value(self.value(option)):
                    raise ConfigError(refusal(option))
        except ConfigError as error:
            self._restore(old)
            raise _failed(name, str(error)) from None
        self._apply([option for option, before in old if option.volatile or self.value(option) != before], old)

    def assign(self, name: str, value: Any) -> None:
        """Put a typed value in force without checks or callbacks (REPLICAOF, chdir and the like)."""
        setattr(self, BY_NAME[name].attribute, value)

    def load_directive(self, option: Option, args: Sequence[str], *, repeated: bool) -> None:
        """A line of a file, `repeated` if an earlier one had the option; ConfigError when it can't be read.

        Whether the value is one that can be had is for the caller to ask when all lines are read.
        """
        value = option.kind.combine(self.value(option), option.kind.parse(args), repeated=repeated)
        setattr(self, option.attribute, value)

    def _settable(self, pairs: Sequence[tuple[str, str]], protected_allowed: bool) -> list[Option]:
        options: list[Option] = []
        seen: set[str] = set()
        for name, value in pairs:
            option = BY_NAME.get(name.lower())
            if option is None:
                raise ConfigError(f"ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
            # Tools set what CONFIG GET showed them, all but Redis's own options that can't be set.
            if not option.mutable and not (option.ours and value == option.kind.show(self.value(option))):
                raise _failed(name, "can't set immutable config")
            if option.protected and not protected_allowed:
                raise _failed(name, "can't set protected config")
            if name.lower() in seen:
                raise _failed(name, "duplicate parameter")
            seen.add(name.lower())
            options.append(option)
        return options

    def _apply(self, changed: list[Option], old: list[tuple[Option, Any]]) -> None:
        done: list[Callback] = []
        for option in changed:
            for callback in self._callbacks.get(option.name, ()):
                if callback in done:
                    continue
                try:
                    callback(self)
                except ConfigError as error:
                    self._restore(old)
                    for earlier in done:
                        earlier(self)
                    raise _failed(option.name, str(error)) from None
                done.append(callback)

    def _restore(self, old: list[tuple[Option, Any]]) -> None:
        for option, value in old:
            setattr(self, option.attribute, value)


def _failed(name: str, reason: str) -> ConfigError:
    return ConfigError(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
