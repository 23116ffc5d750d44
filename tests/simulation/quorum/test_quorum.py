"""The quorum's machines agree with their specification, keep their promises, and each rule of theirs is needed."""

from __future__ import annotations

import pytest

from simulation.quorum.broken import SWITCHES, Switch
from simulation.quorum.retold import Retold
from simulation.quorum.schedules import Schedule
from simulation.quorum.search import replay, search, shorten
from simulation.quorum.seeds import CAUGHT_BY
from simulation.quorum.stories import STORIES


def test_machines_and_specification_agree() -> None:
    """After each action of any schedule the real machines show what the specification shows."""
    result = search(range(150), compare=True)
    assert result.schedules == 150
    assert result.found is None
    assert result.counts["acked"] > 50
    assert result.counts["opened"] > 50
    assert result.counts["changes"] > 0
    assert search(range(30), compare=True, kind=Retold).found is None


def test_machines_keep_their_promises() -> None:
    """With all rules on nothing acknowledged is lost and no read shows what vanishes, in schedules of every taste."""
    result = search(range(10_000, 10_400))
    assert result.found is None
    assert result.counts["reads"] > 50
    assert search(range(400), kind=Retold).found is None


@pytest.mark.parametrize("switch", [s for s in SWITCHES if s.name in CAUGHT_BY], ids=lambda switch: switch.name)
def test_a_rule_that_is_off_is_caught(switch: Switch) -> None:
    """A schedule that breaks the protocol without one rule is found, shortened, and harmless with the rule on."""
    seed = CAUGHT_BY[switch.name]
    found = search([seed], switch.make).found
    assert found is not None
    short = shorten(found, switch.make)
    assert 0 < len(short.steps) <= len(found.steps)
    assert replay(short.steps, short.n, short.level, switch.make)[0]
    assert replay(short.steps, short.n, short.level)[0] == ""


@pytest.mark.parametrize("switch", [s for s in SWITCHES if s.name in STORIES], ids=lambda switch: switch.name)
def test_a_rule_that_chance_rarely_misses_has_its_story(switch: Switch) -> None:
    """What breaks only in rare orders is told by hand: caught with the rule off, harmless with it on."""
    n, level, steps = STORIES[switch.name]
    assert replay(steps, n, level, switch.make)[0]
    assert replay(steps, n, level)[0] == ""


@pytest.mark.parametrize("switch", [s for s in SWITCHES if s.name in STORIES], ids=lambda switch: switch.name)
def test_what_is_near_a_told_story_is_found(switch: Switch) -> None:
    """Stories told with deviations catch what a switch breaks as well, soon, and break nothing with the rule on."""
    found = search(range(400), switch.make, kind=Retold).found
    assert found is not None
    assert search([found.seed], kind=Retold).found is None


def test_every_switch_is_caught() -> None:
    """No rule can be switched off without a schedule or a story that shows the loss."""
    assert {switch.name for switch in SWITCHES} == CAUGHT_BY.keys() | STORIES.keys()


def test_a_schedule_is_its_seed() -> None:
    """The same seed gives the same actions, to the last one."""
    runs = []
    for _ in range(2):
        schedule = Schedule(4711)
        schedule.run()
        runs.append(schedule.taken)
    assert runs[0] == runs[1]
    assert runs[0]
