"""When the append-only file is rewritten, and when not."""

from __future__ import annotations

from persistence.aof.schedule import Annotator, BackOff, growth_percent, is_due


def test_growth_counts_from_the_last_rewrite() -> None:
    """A file is due once it has grown by the percentage, and is above the least size; 0 % is never."""
    assert growth_percent(150, 100) == 50
    assert is_due(200, 100, 100, 64)
    assert not is_due(199, 100, 100, 64)
    assert not is_due(200, 100, 100, 200)
    assert not is_due(10**9, 1, 0, 0)
    assert is_due(65, 0, 100, 64)  # nothing is known of a last rewrite


def test_failures_space_rewrites_out() -> None:
    """From the third failure on: a minute, two, four, up to an hour; each time one attempt."""
    back_off = BackOff()
    for _ in range(2):
        back_off.failed()
        assert back_off.blocks(0.0) == (False, 0)
    back_off.failed()
    now_s = 1000.0
    for delay_s in (60, 120, 240, 480, 960, 1920, 3600, 3600):
        assert back_off.blocks(now_s) == (True, delay_s)
        assert back_off.blocks(now_s + delay_s - 1) == (True, 0)
        now_s += delay_s
        assert back_off.blocks(now_s) == (False, 0)
        back_off.failed()
    back_off.reset()
    assert back_off.blocks(now_s) == (False, 0)
    assert back_off.failures == 0


def test_each_second_is_noted_once() -> None:
    """The time stands before the first commands of a second, and a clock set back notes nothing."""
    annotator = Annotator()
    assert annotator.annotation(5) == b"#TS:5\r\n"
    assert annotator.annotation(5) == b""
    assert annotator.annotation(4) == b""
    assert annotator.annotation(6) == b"#TS:6\r\n"
