"""The option table and CONFIG GET/SET, without a server."""

from __future__ import annotations

import types
import typing

import pytest

from kvserver.config import BY_NAME, OPTIONS, Config, ConfigError, SavePoint
from kvserver.config.settings import Settings


def test_every_option_has_a_typed_attribute_and_no_attribute_is_left_over() -> None:
    """Settings and the option table name the same values in the same order."""
    assert list(typing.get_type_hints(Settings)) == [option.attribute for option in OPTIONS]


def test_every_default_is_of_the_annotated_type() -> None:
    """What a default parses to is what the annotation promises."""
    hints = typing.get_type_hints(Settings)
    for option in OPTIONS:
        hint = hints[option.attribute]
        wanted = hint if isinstance(hint, types.UnionType) else typing.get_origin(hint) or hint
        assert isinstance(option.default_value(), wanted), option.name


def test_every_default_survives_being_shown() -> None:
    """What CONFIG GET shows of a default, CONFIG SET reads back as the same value."""
    for option in OPTIONS:
        shown = option.kind.show(option.default_value())
        value = option.kind.parse(shown.split(" ") if option.kind.multi else [shown])
        assert option.kind.combine(None, value, repeated=False) == option.default_value(), option.name


def test_every_option_has_a_sentence_and_at_most_one_excuse() -> None:
    """Docs end with a full stop, and no option is both refused and without effect."""
    for option in OPTIONS:
        assert option.doc.endswith("."), option.name
        assert not (option.refused and option.inert), option.name
        assert option.section, option.name
    assert len(BY_NAME) == sum(len(option.names) for option in OPTIONS)


def test_get_matches_names_and_aliases_by_glob() -> None:
    """An alias appears under its own name beside the option it means."""
    config = Config()
    assert dict(config.get(["*-priority"])) == {"replica-priority": "100", "slave-priority": "100"}
    assert config.get(["PORT", "po*", "PO[^a]t"]) == [("PORT", "6379"), ("port", "6379")]
    assert config.get(["nothing", "x*"]) == []


def test_hidden_options_need_their_exact_name() -> None:
    """A pattern doesn't show an option meant for tests, its name does."""
    config = Config()
    assert "key-load-delay" not in dict(config.get(["*"]))
    assert config.get(["key-load-delay"]) == [("key-load-delay", "0")]


@pytest.mark.parametrize(
    ("name", "text", "shown", "value"),
    [
        ("hash-max-listpack-value", "5MB", "5242880", 5 << 20),
        ("hash-max-listpack-value", "2k", "2000", 2000),
        ("hash-max-listpack-value", "", "0", 0),
        ("hz", "600", "500", 500),
        ("slave-priority", "7", "7", 7),
        ("save", "900 1 30 5", "900 1 30 5", (SavePoint(900, 1), SavePoint(30, 5))),
        ("save", "", "", ()),
        ("shutdown-on-sigint", "force now", "now force", ("now", "force")),
        ("notify-keyspace-events", "KEA", "AKE", "AKE"),
        ("notify-keyspace-events", "nAE", "AE", "AnE"),
        ("notify-keyspace-events", "g$lshzxetd", "A", "A"),
        ("requirepass", "p w", "p w", b"p w"),
        ("latency-tracking", "NO", "no", False),
        ("latency-tracking-info-percentiles", "50 99.990", "50 99.99", (50.0, 99.99)),
        ("shutdown-on-sigterm", "default", "default", ()),
    ],
)
def test_set_changes_what_is_shown_and_what_is_read(name: str, text: str, shown: str, value: object) -> None:
    """A value is parsed once, and shown in its canonical form."""
    config = Config()
    config.set([(name, text)])
    assert config.show(name) == shown
    assert getattr(config, BY_NAME[name].attribute) == value


def test_output_buffer_limits_change_class_by_class() -> None:
    """A class that is not named keeps its limits, and the old class name is understood."""
    config = Config()
    config.set([("client-output-buffer-limit", "slave 1gb 2 3")])
    assert config.show("client-output-buffer-limit") == ("normal 0 0 0 slave 1073741824 2 3 pubsub 33554432 8388608 60")
    assert config.client_output_buffer_limit.replica.soft_seconds == 3


def test_set_is_all_or_nothing() -> None:
    """When the last value is bad, the first one is not in force either."""
    config = Config()
    with pytest.raises(ConfigError, match=r"related to argument 'hz'\) - argument couldn't be parsed"):
        config.set([("hash-max-listpack-value", "1gb"), ("hz", "fast")])
    assert config.hash_max_listpack_value == 64


def test_callbacks_run_once_per_change_and_only_then() -> None:
    """One callback for two options runs once when both change, and not when neither does."""
    config = Config()
    calls: list[int] = []
    callback = lambda changed: calls.append(changed.hash_max_listpack_value)  # noqa: E731
    config.on_change("hash-max-listpack-value", callback)
    config.on_change("slave-priority", callback)
    config.set([("hash-max-listpack-value", "7"), ("replica-priority", "3")])
    config.set([("hash-max-listpack-value", "7")])
    assert calls == [7]


def test_a_callback_that_refuses_undoes_everything() -> None:
    """A refused change leaves the old values, and who had taken it takes it back."""
    config = Config()
    seen: list[int] = []

    def refuse(changed: Config) -> None:
        raise ConfigError("no such folder")

    config.on_change("hash-max-listpack-value", lambda changed: seen.append(changed.hash_max_listpack_value))
    config.on_change("dbfilename", refuse)
    with pytest.raises(ConfigError, match=r"'dbfilename'\) - no such folder"):
        config.set([("hash-max-listpack-value", "7"), ("dbfilename", "x.rdb")], protected_allowed=True)
    assert (config.hash_max_listpack_value, config.dbfilename) == (64, "dump.rdb")
    assert seen == [7, 64]


def test_a_protected_option_needs_permission() -> None:
    """dir and dbfilename can't be changed unless the caller may change protected options."""
    config = Config()
    with pytest.raises(ConfigError, match="can't set protected config"):
        config.set([("dir", "/")])
    config.set([("dir", "/")], protected_allowed=True)
    assert config.dir == "/"


def test_what_cannot_be_honoured_is_refused_and_its_default_is_not() -> None:
    """activedefrag yes is an error that says why; activedefrag no is what happens anyway."""
    config = Config()
    config.set([("activedefrag", "no")])
    with pytest.raises(ConfigError, match="unsupported value, only 'no' is: the memory allocator"):
        config.set([("activedefrag", "yes")])


def test_what_config_get_shows_of_our_options_can_be_set() -> None:
    """Tools write back what they read; an option that can't change takes what it is, and nothing else."""
    config = Config()
    config.set([(option.name, option.kind.show(config.value(option))) for option in OPTIONS if option.ours])
    with pytest.raises(ConfigError, match=r"'quorum-nodes'\) - can't set immutable config"):
        config.set([("quorum-nodes", "3")])
