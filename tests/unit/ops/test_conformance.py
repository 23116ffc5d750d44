"""The conformance harness reads what the suite prints, and counts it fairly."""

from ops.conformance import scoreboard
from ops.conformance.output import Failure, read
from ops.conformance.source import source_lines, source_stanzas

OUTPUT = """\
Starting test server at port 11968
[ready]: 4711
Testing unit/type/string
[ok]: first (3 ms)
[err]: second in tests/unit/type/string.tcl
Expected '1' to be equal to '2' (context: type eval)
[ok]: third (1 ms)
[ignore]: fourth: Tag: slow denied
[err]: I/O error reading reply
    while executing
"""
ENDED = """\
[1/1 done]: unit/type/string (1 seconds)

                   The End

*** [err]: second in tests/unit/type/string.tcl
"""


def test_every_report_is_counted_once() -> None:
    """The summary at the end repeats the failures, which count once; an abandoned block is no test."""
    report = read(OUTPUT + ENDED)
    assert (report.passed, report.ignored, report.done) == (2, 1, True)
    assert report.finished == {"first", "second", "third", ""}
    assert report.failures == [
        Failure("second", "Expected '1' to be equal to '2'"),
        Failure("", "I/O error reading reply\nwhile executing"),
    ]


def test_a_hanging_test_is_named() -> None:
    """When the suite gives up waiting it says in which test, and the unit is not done."""
    report = read(OUTPUT + "[TIMEOUT]: clients state report follows.\nsock55 => (IN PROGRESS) fifth\n")
    assert (report.stuck_in, report.done) == ("fifth", False)


def test_tests_never_reached_count_against_the_unit() -> None:
    """A unit that fails early is measured by what Redis passes, not by the few tests that ran."""
    entry = {"passed": 1, "failed": 1, "ignored": 0}
    one = scoreboard.score(entry, {"passed": 10, "failed": 0})
    assert (one.not_reached, one.percent) == (8, 10.0)
    more = scoreboard.score({"passed": 12, "failed": 0, "ignored": 0}, {"passed": 10})
    assert scoreboard.total([one, more]).percent == 55.0


def test_reasons_replace_the_detail_of_a_failure() -> None:
    """The scoreboard shows the written reason of a failure, else what the suite said."""
    failures = [{"test": "a", "detail": "boom"}, {"test": "b", "detail": "bang"}]
    entry = {"passed": 0, "failed": 2, "ignored": 0, "failures": failures}
    reasons = {"unit/x": {"a": "no allocator"}}
    page = scoreboard.markdown({"unit/x": entry}, {"unit/x": {"passed": 2}}, reasons)
    assert "- a: no allocator" in page
    assert "- b: `bang`" in page


def test_missing_commands_are_told_in_one_line() -> None:
    """Tests that fail because a command isn't served are counted together, by command."""
    failures = [{"test": name, "detail": f"ERR unknown command '{name}'"} for name in ("geoadd", "pfadd")]
    entry = {"passed": 0, "failed": 2, "ignored": 0, "failures": failures}
    assert "- 2 failures for want of commands: GEOADD, PFADD" in scoreboard.markdown({"unit/x": entry}, {}, {})


def test_source_entries_are_those_of_the_release() -> None:
    """Only the machine's own entries of its release become source entries; other vendors' are left alone."""
    text = "deb [arch=amd64] http://a.example/d stable-updates main\ndeb http://b.example/x other main\n"
    assert source_lines(text, "stable") == ["deb-src [arch=amd64] http://a.example/d stable-updates main"]
    place = "URIs: http://a.example/d\nSuites: stable stable-updates\nComponents: main"
    other = "Types: deb\nURIs: http://b.example\nSuites: other\n"
    stanzas = source_stanzas(f"# by hand\nTypes: deb\n{place}\n\n{other}", "stable")
    assert stanzas == [f"Types: deb-src\n{place}"]
