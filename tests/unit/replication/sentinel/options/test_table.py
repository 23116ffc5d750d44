"""The table of options: each row is read, shown, set and written by the same rules."""

from __future__ import annotations

from dataclasses import fields

import pytest

from kvserver.config.quoting import split_arguments
from replication.sentinel.options.directives import apply_directive, load, render
from replication.sentinel.options.kinds import DirectiveError
from replication.sentinel.options.table import (
    GROUP,
    OURS_BY_NAME,
    SETTABLE_OF_GROUP,
    SETTABLE_OURS,
    Option,
    Statement,
)
from replication.sentinel.world.group import Primary
from replication.sentinel.world.world import World

ID = "0123456789abcdef0123456789abcdef01234567"
OF_GROUP = [row for row in GROUP if isinstance(row, Option)]
SAMPLES = ("7", "yes", "no", ID, "text")


def world() -> World:
    return load([["monitor", "main", "10.0.0.1", "6379", "2"]], "?" * 40, now=1_000)


def sample(option: Option) -> str:
    """A text that this option takes, and that isn't its default."""
    owner = world()
    for text in SAMPLES:
        try:
            value = option.kind.read(text, option.name)
        except DirectiveError:
            continue
        target = owner if option.name in OURS_BY_NAME else owner.groups["main"]
        if value != option.default(target, owner):
            return text
    raise AssertionError(f"no sample for {option.name}")


@pytest.mark.parametrize("option", [*OURS_BY_NAME.values(), *OF_GROUP], ids=lambda each: each.name)
def test_a_row_names_a_field(option: Option) -> None:
    """The attribute of a row is a field of what it is an option of, with a default."""
    owner: type = World if option.name in OURS_BY_NAME else Primary
    assert option.attribute in {each.name for each in fields(owner)}


@pytest.mark.parametrize("option", OURS_BY_NAME.values(), ids=lambda each: each.name)
def test_our_options_survive_the_file(option: Option) -> None:
    """A value read from a file is shown, is written, and is the same when it is read again."""
    made = world()
    text = sample(option)
    apply_directive(made, [option.name, text], 1_000, lambda path: True)
    line = f"sentinel {option.name} {text}"
    assert option.show(made) == text
    assert line in render(made)


@pytest.mark.parametrize("option", [row for row in OF_GROUP if row.in_file], ids=lambda each: each.name)
def test_options_of_a_group_survive_the_file(option: Option) -> None:
    """A value read from a file is shown, is written, and is the same when it is read again."""
    made = world()
    text = sample(option)
    apply_directive(made, [option.name, "main", text], 1_000, lambda path: True)
    assert option.show(made.groups["main"]) == text
    assert f"sentinel {option.name} main {text}" in render(made)


@pytest.mark.parametrize("option", [*SETTABLE_OURS.values(), *SETTABLE_OF_GROUP.values()],
                         ids=lambda each: each.name)
def test_what_a_command_sets_is_written_unless_it_is_the_default(option: Option) -> None:
    """Set by command to a value, an option is in the file; set back to its default, it isn't."""
    made = world()
    owner = made if option.name in SETTABLE_OURS else made.groups["main"]
    before = render(made)
    option.apply(owner, made, option.kind.read(sample(option), option.name))
    assert render(made) != before
    option.apply(owner, made, 2 if option.name == "quorum" else option.default(owner, made))
    assert render(made) == before


def test_commands_take_what_redis_takes() -> None:
    """SENTINEL CONFIG knows Redis 7.0's six options; SENTINEL SET its nine of one value, and one of ours."""
    assert list(SETTABLE_OURS) == ["resolve-hostnames", "announce-hostnames", "announce-ip", "announce-port",
                                   "sentinel-user", "sentinel-pass"]
    assert set(SETTABLE_OF_GROUP) == {
        "down-after-milliseconds", "failover-timeout", "parallel-syncs", "notification-script",
        "client-reconfig-script", "auth-pass", "auth-user", "quorum", "master-reboot-down-after-period",
        "refused-down-after-milliseconds"}


def test_an_epoch_of_the_file_is_never_forgotten() -> None:
    """Whatever their order, the newest epoch of the statements is the sentinel's."""
    made = world()
    for words in (["config-epoch", "main", "4"], ["leader-epoch", "main", "6"], ["current-epoch", "5"]):
        apply_directive(made, words, 1_000, lambda path: True)
    assert (made.epoch, made.groups["main"].config_epoch, made.groups["main"].leader_epoch) == (6, 4, 6)


@pytest.mark.parametrize("row", [row for row in GROUP if isinstance(row, Statement)], ids=lambda each: each.name)
def test_statements_of_several_values_survive_the_file(row: Statement) -> None:
    """What such a statement writes can be read again, and gives the same."""
    made = load([["monitor", "main", "10.0.0.1", "6379", "2"], ["known-replica", "main", "10.0.0.2", "6379"],
                 ["known-sentinel", "main", "10.0.0.3", "26379", ID], ["rename-command", "main", "config", "x y"]],
                "?" * 40, now=1_000)
    lines = [line for line in render(made) if line.split()[1] == row.name]
    assert bool(lines) == (row.name != "known-slave")
    again = load([(split_arguments(line) or [])[1:] for line in render(made)], "?" * 40, now=1_000)
    assert render(again) == render(made)


def test_quorum_is_no_statement_of_its_own() -> None:
    """In a file the quorum stands in `monitor`, and nowhere else, as in Redis's."""
    with pytest.raises(DirectiveError, match="Unrecognized"):
        apply_directive(world(), ["quorum", "main", "1"], 1_000, lambda path: True)
