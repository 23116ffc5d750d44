"""redis.conf and the command line: reading, refusing, rewriting."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kvserver.config import (
    OPTIONS,
    Config,
    ConfigError,
    Endpoint,
    Loaded,
    SavePoint,
    bind_address,
    example_config,
    load,
    parse_command_line,
    rewrite,
)
from kvserver.config.quoting import decode, quote, split_arguments


def no_files(pattern: str) -> list[tuple[str, str]]:
    raise FileNotFoundError(2, "No such file or directory")


def loaded(text: str, *options: str) -> tuple[Config, Loaded]:
    config = Config()
    return config, load(config, [("/etc/kv.conf", text)], options, read_file=no_files)


@given(st.binary())
def test_any_bytes_survive_quoting(raw: bytes) -> None:
    """What quote writes, split_arguments reads back, whatever the bytes."""
    text = decode(raw)
    assert split_arguments(f"a {quote(text)} b") == ["a", text, "b"]


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("a  b\tc", ["a", "b", "c"]),
        (r'"a\x41\n\q" ' + r"'b\'c\n'", ["aA\nq", r"b'c\n"]),
        ('a"b c"', ["ab c"]),
        ('""', [""]),
        ("", []),
        ('"open', None),
        ('"a"b', None),
        ("'a'b", None),
    ],
)
def test_lines_are_cut_as_redis_cuts_them(line: str, arguments: list[str] | None) -> None:
    """Quotes, escapes and blanks follow redis.conf's rules; unbalanced quotes are an error."""
    assert split_arguments(line) == arguments


def test_a_file_then_options_the_last_wins() -> None:
    """The command line overrides the file; save lines of the file replace the default and add up."""
    config, _ = loaded("port 7000\nsave 900 1\nsave 10 2\n# port 8000\n\nSLAVEOF a 1\n", "port 9000")
    assert config.port == 9000
    assert config.save == (SavePoint(900, 1), SavePoint(10, 2))
    assert config.replicaof == Endpoint("a", 1)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("port 1\nfoo bar\n", 2, "Bad directive or wrong number of arguments"),
        ("port 1 2", 1, "wrong number of arguments"),
        ("port", 1, "wrong number of arguments"),
        ("port 70000", 1, "argument must be between 0 and 65535 inclusive"),
        ('dir "x', 1, "Unbalanced quotes in configuration line"),
        ("activedefrag yes", 1, "unsupported value, only 'no' is: the memory allocator is Python's"),
        ("loadmodule x.so", 1, "unsupported directive: modules"),
        ("include other.conf", 1, "can't open config file 'other.conf': No such file or directory"),
        ("sentinel monitor m h 1 2", 1, "sentinel directive while not in sentinel mode"),
        ("client-output-buffer-limit", 1, "Wrong number of arguments in buffer limit configuration."),
        ("shutdown-on-sigint", 1, "argument(s) must be one of the following: default, save"),
        ("replicaof", 1, "wrong number of arguments"),
    ],
)
def test_a_bad_line_is_named(text: str, line: int, problem: str) -> None:
    """The error shows the file, the line's number and text, and the reason."""
    with pytest.raises(ConfigError) as caught:
        loaded(text)
    message = str(caught.value).split("\n")
    assert message[0] == "*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***"
    assert message[1] == f"Reading the configuration file '/etc/kv.conf', at line {line}"
    assert message[2] == f">>> '{text.splitlines()[line - 1]}'"
    assert message[3].startswith(problem)


def test_a_bad_option_of_the_command_line_is_named() -> None:
    """An error in an option says which one it was."""
    with pytest.raises(ConfigError, match=r"Reading the command line, at option 2\n>>> 'prot 1'"):
        loaded("", "port 1", "prot 1")


def test_a_value_that_cant_be_had_may_be_taken_back() -> None:
    """Only the last word on an option is judged, and an error names the line that has it."""
    config, _ = loaded("activedefrag yes\n", "activedefrag no")
    assert not config.activedefrag
    with pytest.raises(ConfigError, match=r"at line 3\n>>> 'activedefrag yes'\nunsupported value, only 'no' is"):
        loaded("activedefrag yes\nactivedefrag no\nactivedefrag yes\n")


@pytest.mark.parametrize(
    ("text", "host", "optional"),
    [
        ("*", "0.0.0.0", False),
        ("-::*", "::", True),
        ("::*", "::", False),
        ("-127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", False),
        ("a-host", "a-host", False),
    ],
)
def test_addresses_to_listen_on(text: str, host: str, optional: bool) -> None:
    """A star is every address of its family, and a leading dash makes an address dispensable."""
    assert bind_address(text) == (host, optional)


def test_what_changes_nothing_is_taken_with_a_warning() -> None:
    """An option that Redis has and that has no effect here is never ignored in silence."""
    config, result = loaded("lazyfree-lazy-user-del yes\nalways-show-logo no\n", "list-compress-depth 2")
    assert config.lazyfree_lazy_user_del
    assert [warning.split(" has")[0] for warning in result.warnings] == [
        "/etc/kv.conf:1: lazyfree-lazy-user-del",
        "option 1 of the command line: list-compress-depth",
    ]


def test_directives_beside_the_options_are_handed_over() -> None:
    """rename-command and sentinel lines reach the composition in order."""
    config = Config()
    text = 'rename-command CONFIG ""\nrename-command GET LOOK\nsentinel monitor m 127.0.0.1 1 2'
    result = load(config, [("f", text)], read_file=no_files, sentinel_mode=True)
    assert result.renames == [("CONFIG", ""), ("GET", "LOOK")]
    assert [args for _, args in result.sentinel] == [["monitor", "m", "127.0.0.1", "1", "2"]]


def test_includes_are_read_where_they_stand() -> None:
    """A wildcard may mean several files or none; later lines win; an error names the included file."""
    files = {"a.conf": [("a.conf", "port 1\ninclude b*")], "b*": [("b1", "port 2"), ("b2", "hz 20\nx y")]}
    config = Config()
    load(
        config,
        [("main", "include none*\ninclude a.conf\nport 3")],
        read_file=lambda p: files[p][:1] if p == "b*" else files.get(p, []),
    )
    assert config.port == 3
    with pytest.raises(ConfigError, match=r"file 'b2', at line 2"):
        load(Config(), [("main", "include a.conf")], read_file=lambda p: files[p])


def test_an_include_that_includes_itself_ends() -> None:
    """A loop of includes is an error, not a crash."""
    with pytest.raises(ConfigError, match="nested more than 16 deep"):
        load(Config(), [("m", "include m")], read_file=lambda p: [("m", "include m")])


def test_the_command_line_is_sorted_out() -> None:
    """File, standard input, --sentinel, several values, dashes as a value, one argument with its value."""
    line = parse_command_line(
        ["a.conf", "--port", "1", "--requirepass", "--x", "--save", "1", "2", "--sentinel", "--hz 5", "-"]
    )
    assert line.config_file == "a.conf"
    assert line.sentinel
    assert line.from_stdin
    assert line.options == ('port "1"', 'requirepass "--x"', 'save "1" "2"', "hz 5")
    assert parse_command_line(["--save", "--port", "1"]).options == ('save ""', 'port "1"')
    assert parse_command_line(["-"]).from_stdin
    assert parse_command_line(["--port", "1", "--save"]).options[-1] == 'save ""'
    assert parse_command_line(["a.conf", "loglevel", "verbose", "--hz", "5"]).options == (
        '"loglevel" "verbose"',
        'hz "5"',
    )


def test_the_example_gives_the_defaults() -> None:
    """Loading the printed example changes no value and warns of nothing."""
    config, result = loaded(example_config())
    defaults = Config()
    assert [option.name for option in OPTIONS if config.value(option) != defaults.value(option)] == []
    assert result.warnings == []
    text = example_config()
    assert all(option.name in text for option in OPTIONS if not option.hidden)


def test_rewrite_keeps_comments_and_order_and_appends_the_rest() -> None:
    """Lines are replaced where they stand; new ones follow the signature; unused ones vanish."""
    text = "# mine\nport 7000\nsave 900 1\nsave 10 2\n\nslave-priority 5\nrename-command A B\nwhat ever\n"
    config, _ = loaded(text.replace("what ever\n", ""))
    config.set([("save", "60 7"), ("repl-backlog-size", "5mb"), ("replica-priority", "6"), ("requirepass", 'a"b')])
    config.assign("dir", "/data")
    assert rewrite(config, text) == (
        "# mine\nport 7000\nsave 60 7\n\nreplica-priority 6\nrename-command A B\n# ??? what ever\n"
        '# Generated by CONFIG REWRITE\ndir "/data"\nrequirepass "a\\"b"\nrepl-backlog-size 5mb\n'
    )


def test_rewriting_twice_changes_nothing_and_loads_the_same_values() -> None:
    """A rewritten file is a fixed point, and means what was in force."""
    config, _ = loaded('bind 127.0.0.1\nsave ""\n')
    config.set([("client-output-buffer-limit", "pubsub 1 2 3"), ("masterauth", "x y"), ("hz", "50")])
    text = rewrite(config, "")
    again, _ = loaded(text)
    assert [option.name for option in OPTIONS if config.value(option) != again.value(option)] == []
    assert rewrite(again, text) == text
