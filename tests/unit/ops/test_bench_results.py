"""The benchmarks' arithmetic and tables."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from ops.bench import datasets, peers, types
from ops.bench.race import Race, compared_sheet
from ops.bench.report import Sheet, throughput_sheet
from ops.bench.results import (
    Comparison,
    Measured,
    OutputError,
    as_data,
    geometric_mean,
    parse_csv,
    percentile,
    summary,
)
from ops.bench.servers import BenchError
from ops.bench.throughput import Plan

CSV = """\
"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"LPUSH (needed to benchmark LRANGE)","90909.09","0.227","0.016","0.215","0.359","0.415","2.679"
"LRANGE_100 (first 100 elements)","66666.67","0.514","0.112","0.383","0.783","2.991","3.039"
"""


def compared(test: str, pipeline: int, ours: list[float], theirs: list[float]) -> Comparison:
    """A comparison with the given rates."""
    return Comparison(
        test, pipeline, [Measured(test, rate, 1.0) for rate in ours], [Measured(test, rate, 1.0) for rate in theirs]
    )


def test_csv_is_read() -> None:
    """The CSV of redis-benchmark gives the short name, the rate and the 99th percentile of each test."""
    assert parse_csv(CSV) == [Measured("LPUSH", 90909.09, 0.415), Measured("LRANGE_100", 66666.67, 2.991)]


def test_other_output_is_refused() -> None:
    """Output that isn't redis-benchmark's CSV is an error that shows it, not an empty result."""
    with pytest.raises(OutputError, match="unexpected"):
        parse_csv('"test","other"\n"SET","1"\n')


def test_ratio_is_the_median_of_rounds() -> None:
    """The ratio is the median of the rounds' own ratios, and the spread its extremes."""
    c = compared("SET", 1, [100, 90, 30], [100, 100, 100])
    assert (c.ratio, c.spread, c.rates) == (0.9, (0.3, 1.0), (90, 100))


def test_processor_time_compares_the_servers_alone() -> None:
    """The ratio by processor time is theirs per request to ours, whatever the rates were, and 0 when not measured."""
    c = Comparison("SET", 1, [Measured("SET", 10, 1.0, 4.0)], [Measured("SET", 100, 1.0, 3.0)])
    assert c.cpu_ratio == 0.75
    assert compared("SET", 1, [1], [1]).cpu_ratio == 0.0


def test_geometric_means_by_pipeline() -> None:
    """Each pipeline depth has its own geometric mean, over the summary's tests alone."""
    means = summary(
        [
            compared("SET", 1, [200], [100]),
            compared("GET", 1, [50], [100]),
            compared("PING_INLINE", 1, [900], [100]),
            compared("SET", 16, [70], [100]),
        ]
    )
    assert means == {1: pytest.approx(1.0), 16: pytest.approx(0.7)}


def test_geometric_mean_of_nothing() -> None:
    """No values, or one that is 0, give 0 instead of an error."""
    assert geometric_mean([]) == 0.0
    assert geometric_mean([1.0, 0.0]) == 0.0


def test_the_best_is_looked_for_round_by_round() -> None:
    """The ratio to the best is to each round's fastest peer, by processor time to its cheapest, who may be others."""
    race = Race(
        "SET", 16,
        [Measured("SET", 100, 1.0, 3.0), Measured("SET", 100, 1.0, 3.0)],
        {"a": [Measured("SET", 200, 1.0, 2.0), Measured("SET", 100, 1.0, 2.0)],
         "b": [Measured("SET", 100, 1.0, 1.5), Measured("SET", 125, 1.0, 1.5)]},
    )  # fmt: skip
    assert race.best.ratios == [0.5, 0.8]
    assert race.best.cpu_ratio == 0.5
    assert race.against("a").ratio == 0.75


def test_table_beside_several_peers() -> None:
    """Each test has its ratio to the best and to each, and the processor times; the means are of the tests named."""
    races = [
        Race("SET", 16, [Measured("SET", 50, 1.0, 4.0)], {"a": [Measured("SET", 100, 1.0, 2.0)]}),
        Race("PING", 16, [Measured("PING", 90, 1.0, 1.0)], {"a": [Measured("PING", 100, 1.0, 1.0)]}),
    ]
    sheet = compared_sheet(races, ["a"], "title", ["SET"])
    assert sheet.rows[0] == ("SET", "16", "0.50", "0.50–0.50", "0.50", "4.00", "2.00", "0.50")
    assert sheet.rows[2] == ("geometric mean of 1", "16", "0.50", "", "0.50", "", "", "0.50")


def test_a_program_is_what_its_version_says(tmp_path: Path) -> None:
    """A given program of another product or major version is an error, and a peer that isn't there is named."""
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\necho 'Valkey server v=9.1.2 sha=0'\n")
    program.chmod(0o755)
    assert peers.find(["valkey9"], {"valkey9": str(program)}, fail) == [peers.Peer("valkey9", str(program), "9.1.2")]
    with pytest.raises(BenchError, match="not Redis 8"):
        peers.find(["redis8"], {"redis8": str(program)}, fail)


def test_a_peer_that_is_not_there_is_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without its program a peer is skipped, and who is says so; without any there is nothing to measure."""
    monkeypatch.setenv("PATH", str(tmp_path))
    skipped: list[str] = []
    with pytest.raises(BenchError, match="none"):
        peers.find(["redis8", "valkey9"], {}, skipped.append)
    assert [text.split(" ")[0] for text in skipped] == ["redis8", "valkey9"]


def fail(text: str) -> None:
    """What is told to nobody."""
    raise AssertionError(text)


def test_percentile_is_a_value_that_occurred() -> None:
    """Percentiles are by nearest rank, and an empty run has 0."""
    values = list(range(1, 101))
    assert (percentile(values, 50), percentile(values, 99), percentile(values, 100)) == (50, 99, 100)
    assert percentile([], 99) == 0.0


def test_table_has_a_row_per_test_and_the_means() -> None:
    """The table has one row per test, one column per pipeline depth, and the means below."""
    sheet = throughput_sheet([compared("SET", 1, [50], [100]), compared("SET", 16, [80], [100])], "title")
    assert sheet.columns == ("test", "pipeline 1", "pipeline 16")
    assert [row[0] for row in sheet.rows] == ["SET", "geometric mean of 1"]
    assert sheet.rows[1][1:] == ("0.50", "0.80")


def test_markdown() -> None:
    """Markdown has a heading, a ruler that aligns numbers right, and the rows."""
    assert Sheet("t", ("a", "b"), (("x", "1"),)).as_markdown() == "t\n\n| a | b |\n| :-- | --: |\n| x | 1 |\n"


def test_data_keeps_every_round() -> None:
    """The JSON has each round's rate, not only the median."""
    data = as_data([compared("SET", 1, [1, 2, 3], [2, 2, 2])], {"cores": 2})
    assert data["about"] == {"cores": 2}
    assert data["tests"][0]["ours_per_s"] == [1, 2, 3]  # type: ignore[index]


def test_heavy_tests_get_fewer_requests() -> None:
    """A test whose requests mean more work sends fewer of them, and --quick fewer still."""
    assert Plan().requests("lrange_600", 16) < Plan().requests("get", 16)
    assert Plan(quick=True).requests("get", 64) < Plan().requests("get", 64)


def test_requests_are_encoded() -> None:
    """A request is an array of bulk strings."""
    assert next(datasets.strings(1)) == b"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000000\r\n$16\r\nvalue:0000000000\r\n"


def test_chunks_lose_nothing() -> None:
    """Joined to chunks, the requests are the same bytes in the same order, the last ones too."""
    whole = b"".join(datasets.strings(25))
    assert b"".join(datasets.chunked(datasets.strings(25), 10)) == whole
    assert len(list(datasets.chunked(datasets.strings(25), 10))) == 3


@pytest.mark.parametrize("kind", list(datasets.AGGREGATES))
def test_small_aggregates_have_distinct_elements(kind: str) -> None:
    """No element occurs twice in a small aggregate, so that its size is what the table says."""
    words = datasets.AGGREGATES[kind].words(range(datasets.SMALL))
    keys = {"hash": words[::2], "sorted set": words[1::2]}.get(kind, words)
    assert len(set(keys)) == datasets.SMALL
    assert len(list(islice(datasets.small(kind, 5), 10))) == 5


def test_types_name_the_worst() -> None:
    """Of each request the smaller ratio by processor time counts, and those below the bound are named in order."""
    found = [
        Comparison("XADD", 1, [Measured("XADD", 1, 1.0, 2.0)], [Measured("XADD", 1, 1.0, 2.0)]),
        Comparison("XADD", 16, [Measured("XADD", 1, 1.0, 4.0)], [Measured("XADD", 1, 1.0, 2.0)]),
        Comparison("PFADD", 1, [Measured("PFADD", 1, 1.0, 5.0)], [Measured("PFADD", 1, 1.0, 1.0)]),
        Comparison("MGET", 1, [Measured("MGET", 1, 1.0, 1.0)], [Measured("MGET", 1, 1.0, 1.0)]),
    ]
    assert types.worst(found) == "Below 0.6 of Redis by processor time: PFADD 0.20, XADD 0.50"
    assert types.worst(found[-1:]) == "None is below 0.6 of Redis."


def test_types_have_a_column_pair_per_depth() -> None:
    """A request has its ratio and its ratio by processor time at each depth; what wasn't measured stays empty."""
    sheet = types.sheet([compared("XADD", 1, [50], [100]), compared("PFADD", 16, [100], [100])], "title")
    assert sheet.columns == ("request", "pipeline 1", "by processor time", "pipeline 16", "by processor time")
    assert sheet.rows[0][1].startswith("0.50")
    assert sheet.rows[0][3:] == ("", "")
    assert sheet.rows[-1][0] == "geometric mean of 2"
