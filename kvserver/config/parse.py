"""Reading redis.conf and the command line into a Config.

Files first, then standard input, then `--option value` pairs: the last word wins. An included file is read
where its `include` stands. Nothing is skipped in silence: a directive is taken, refused with an error that
names the file and the line, or (Redis has it, here it changes nothing) taken with a warning. A value that can't
be had here is refused only if it is the last word on its option.

Files are read by the caller: `read_file(pattern)` returns (path, text) for each file the pattern means, none
for a wildcard that matches nothing, and raises OSError for a file that can't be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kvserver.config.kinds import ConfigError
from kvserver.config.quoting import quote, split_arguments
from kvserver.config.store import Config, refusal
from kvserver.config.table import BY_NAME, REDIS_VERSION

ReadFile = Callable[[str], list[tuple[str, str]]]

MAX_INCLUDE_DEPTH = 16
BLANKS = " \t\r\n"
_RETIRED = ("list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands")
_REFUSED_DIRECTIVES = {
    "loadmodule": "modules written for Redis can't be loaded",
}


@dataclass(frozen=True, slots=True)
class Directive:
    """One line: the file it stands in ("" for the command line), its number, its text."""

    source: str
    line: int
    text: str


@dataclass(slots=True)
class Loaded:
    """What a configuration said besides the options: for the composition to carry out."""

    renames: list[tuple[str, str]] = field(default_factory=list)
    """rename-command: old name, new name ("" removes the command)."""
    sentinel: list[tuple[Directive, list[str]]] = field(default_factory=list)
    """`sentinel ...` lines, without the first word, in order."""
    users: list[tuple[Directive, list[str]]] = field(default_factory=list)
    """`user` lines, without the first word, in order: for the composition to check."""
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The arguments of a server, sorted out."""

    config_file: str = ""
    from_stdin: bool = False
    sentinel: bool = False
    options: tuple[str, ...] = ()
    """One line of configuration per option, in order."""


def parse_command_line(argv: Sequence[str]) -> CommandLine:
    """`[file | -] [--option value ...] [-]`, without the program's name.

    What follows an option's name is its value even when it begins with dashes, except after `--save`, which
    then means no save points, and `--sentinel`, which takes none. `"--port 6380"` in one argument works too.
    """
    rest = list(argv)
    config_file = rest.pop(0) if rest and not rest[0].startswith("-") else ""
    from_stdin = False
    lines: list[str] = []
    wants_value = False
    for position, arg in enumerate(rest):
        first_or_last = (position == 0 and not config_file) or position == len(rest) - 1
        if arg == "-" and first_or_last:
            from_stdin = True
        elif arg.startswith("--") and not wants_value:
            lines.append(arg[2:])
            wants_value = len(split_arguments(arg) or ()) == 1
            following = rest[position + 1] if position + 1 < len(rest) else "--"
            if wants_value and arg.lower() in ("--save", "--sentinel") and following.startswith("--"):
                lines[-1] += ' ""' if arg.lower() == "--save" else ""
                wants_value = False
        elif not lines:
            lines.append(quote(arg))
        else:
            lines[-1] += f" {quote(arg)}"
            wants_value = False
    sentinel = any(line.strip().lower() == "sentinel" for line in lines)
    options = tuple(line for line in lines if line.strip().lower() != "sentinel")
    return CommandLine(config_file, from_stdin, sentinel, options)


def load(
    config: Config,
    texts: Iterable[tuple[str, str]],
    options: Sequence[str] = (),
    *,
    read_file: ReadFile,
    sentinel_mode: bool = False,
) -> Loaded:
    """Put (path, text) files, then command-line options, into `config`.

    Raises ConfigError with the whole message for the operator; the config is then not to be used.
    """
    loader = _Loader(config, read_file, sentinel_mode)
    for source, text in texts:
        loader.take_text(source, text, depth=0)
    for number, line in enumerate(options, 1):
        loader.take_line(Directive("", number, line), depth=0)
    loader.judge()
    return loader.loaded


class _Loader:
    """One loading: remembers what it has seen."""

    def __init__(self, config: Config, read_file: ReadFile, sentinel_mode: bool) -> None:
        self.loaded = Loaded()
        self._config = config
        self._read_file = read_file
        self._sentinel_mode = sentinel_mode
        self._seen: dict[str, Directive] = {}

    def take_text(self, source: str, text: str, depth: int) -> None:
        for number, line in enumerate(text.split("\n"), 1):
            self.take_line(Directive(source, number, line.strip(BLANKS)), depth)

    def take_line(self, where: Directive, depth: int) -> None:
        if not where.text or where.text.startswith("#"):
            return
        args = split_arguments(where.text)
        try:
            if args is None:
                raise ConfigError("Unbalanced quotes in configuration line")
            self._take(where, args[0].lower(), args[1:], depth)
        except ConfigError as error:
            raise error if str(error).startswith("***") else fatal(where, str(error)) from None

    def _take(self, where: Directive, name: str, args: list[str], depth: int) -> None:
        if name in BY_NAME:
            self._take_option(where, name, args)
        elif name == "include" and len(args) == 1:
            self._include(args[0], depth)
        elif name == "rename-command" and len(args) == 2:
            self.loaded.renames.append((args[0], args[1]))
        elif name == "sentinel":
            if not self._sentinel_mode:
                raise ConfigError("sentinel directive while not in sentinel mode")
            self.loaded.sentinel.append((where, args))
        elif name == "user" and args:
            self.loaded.users.append((where, args))
        elif name in _REFUSED_DIRECTIVES and args:
            raise ConfigError(f"unsupported directive: {_REFUSED_DIRECTIVES[name]}")
        elif name in _RETIRED and len(args) == 1:
            self.loaded.warnings.append(f"{_place(where)}: {name} has had no effect since Redis 7.0")
        else:
            raise ConfigError("Bad directive or wrong number of arguments")

    def _take_option(self, where: Directive, name: str, args: list[str]) -> None:
        option = BY_NAME[name]
        if option.kind.multi:
            if len(args) == 1 and args[0]:
                args = split_arguments(args[0]) or args
        elif len(args) != 1:
            raise ConfigError("wrong number of arguments")
        self._config.load_directive(option, args, repeated=option.name in self._seen)
        self._seen[option.name] = where

    def _include(self, pattern: str, depth: int) -> None:
        if depth >= MAX_INCLUDE_DEPTH:
            raise ConfigError(f"includes are nested more than {MAX_INCLUDE_DEPTH} deep")
        try:
            files = self._read_file(pattern)
        except OSError as error:
            raise ConfigError(f"can't open config file '{pattern}': {error.strerror or error}") from None
        for source, text in files:
            self.take_text(source, text, depth + 1)

    def judge(self) -> None:
        """Look at the values that are left: refuse what can't be done here, name what has no effect.

        Only the last word on an option counts: what stands behind a line may take it back.
        """
        for name, where in self._seen.items():
            option = BY_NAME[name]
            if not option.accepts_value(self._config.value(option)):
                raise fatal(where, refusal(option))
            if option.inert and self._config.value(option) != option.default_value():
                self.loaded.warnings.append(f"{_place(where)}: {name} has no effect: {option.inert}")


def fatal(where: Directive, problem: str) -> ConfigError:
    """The message with which a server gives up starting, in the shape that tools know from Redis."""
    reading = "Reading the configuration file" if where.source else "Reading the command line"
    name = f" '{where.source}', at line" if where.source else ", at option"
    return ConfigError(
        f"*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***\n"
        f"{reading}{name} {where.line}\n>>> '{where.text}'\n{problem}"
    )


def _place(where: Directive) -> str:
    return f"{where.source}:{where.line}" if where.source else f"option {where.line} of the command line"
