"""The pure parts of the admin commands: slow log, latency, rates, redaction, graph, digest, notifications."""

from __future__ import annotations

from hashlib import sha1

import pytest

from kvserver.admin.debug import digest
from kvserver.admin.info.sections import average_ttl_ms, human
from kvserver.admin.observe.latency import LatencyMonitor, Series, age, percentile, report
from kvserver.admin.observe.memory import diagnose
from kvserver.admin.observe.monitor import line
from kvserver.admin.observe.rates import Rates
from kvserver.admin.observe.redact import redact
from kvserver.admin.observe.slowlog import SlowLog, shorten
from kvserver.admin.observe.sparkline import render
from kvserver.admin.shutdown import ShutdownRequest, parse
from kvserver.engine.command_table.row import Row
from kvserver.engine.events.notifications import KEYEVENT, KEYSPACE, flags_of
from kvserver.engine.keys.keyspace import EV_STRING, Db, State
from kvserver.errors import CommandError


def test_the_slow_log_is_bounded_and_numbers_go_on() -> None:
    """The oldest entries leave first; neither leaving nor clearing restarts the numbers."""
    log = SlowLog()
    for duration in range(5):
        log.add([b"GET"], duration, 1, "a:1", b"", 3)
    assert [entry.number for entry in log.latest(-1)] == [4, 3, 2]
    assert len(log.latest(2)) == 2
    log.clear()
    log.add([b"GET"], 1, 1, "a:1", b"", 3)
    assert [entry.number for entry in log.latest(10)] == [5]


def test_long_requests_are_shortened() -> None:
    """32 arguments at most, the last saying how many are missing, each of 128 bytes and a note."""
    cut = shorten([b"x" * 130, *[b"y"] * 40])
    assert cut[0] == b"x" * 128 + b"... (2 more bytes)"
    assert len(cut) == 32
    assert cut[-1] == b"... (10 more arguments)"
    assert shorten([b"a"] * 32) == [b"a"] * 32


def test_a_series_keeps_the_worst_of_each_second_and_160_samples() -> None:
    """Samples of one second are merged, and old ones leave."""
    series = Series()
    series.add(1, 5)
    series.add(1, 3)
    series.add(2, 4)
    assert list(series.samples) == [(1, 5), (2, 4)]
    for second in range(3, 300):
        series.add(second, 1)
    assert len(series.samples) == 160
    assert series.worst_ms == 5


def test_latency_events_are_bounded_in_number() -> None:
    """An endless supply of event names doesn't grow the monitor without end."""
    monitor = LatencyMonitor()
    for number in range(1000):
        monitor.add(f"event-{number}", 1, 1)
    assert len(monitor.events) == 128
    assert monitor.reset(["event-1", "event-1", "nosuch"]) == 1


def test_the_latency_doctor_speaks() -> None:
    """It says when it is off, when there is nothing, and what it found."""
    assert "disabled" in report({}, 0, 10000, 5)
    assert "No event" in report({}, 10, 10000, 5)
    series = Series()
    series.add(1, 100)
    series.add(3, 200)
    text = report({"command": series}, 10, -1, 11)
    assert "2 latency spikes (average 150ms, mean deviation 50ms, period 5.00 sec). Worst all time event 200ms" in text
    assert "CONFIG SET slowlog-log-slower-than 10000" in text


def test_percentiles_come_from_powers_of_two() -> None:
    """A percentile is the upper bound of the class that reaches it; calls in no bucket are the fastest."""
    row = Row("get", lambda c, a: b"", 2, 0, None)
    row.calls = 200
    row.buckets[3] = 98
    row.buckets[10] = 2
    assert [percentile(row, p) for p in (0.0, 50.0, 98.0, 99.0, 99.5, 100.0)] == [4, 4, 8, 8, 1024, 1024]


def test_rates_average_over_the_last_samples() -> None:
    """100 per 100 ms is 1000 a second once 16 samples are there; a young sample is left out."""
    rates = Rates(("a",))
    for step in range(17):
        rates.sample([step * 100], 1000 + step * 100)
        rates.sample([0], 1001 + step * 100)
    assert rates.per_second("a") == 1000
    rates.reset()
    assert rates.per_second("a") == 0


@pytest.mark.parametrize(
    ("name", "args", "shown"),
    [
        ("auth", "AUTH user pw", "AUTH (redacted) (redacted)"),
        ("hello", "HELLO 3 AUTH u p SETNAME n", "HELLO 3 AUTH (redacted) (redacted) SETNAME n"),
        ("migrate", "MIGRATE h 1 k 0 1 auth pw", "MIGRATE h 1 k 0 1 auth (redacted)"),
        ("migrate", "MIGRATE h 1 k 0 1 AUTH2 u pw KEYS", "MIGRATE h 1 k 0 1 AUTH2 (redacted) (redacted) KEYS"),
        ("config|set", "CONFIG SET hz 1 MasterAuth x", "CONFIG SET hz 1 MasterAuth (redacted)"),
        ("set", "SET requirepass x", "SET requirepass x"),
    ],
)
def test_secrets_are_redacted(name: str, args: str, shown: str) -> None:
    """Passwords don't show, whatever command carries them."""
    assert redact(name, args.encode().split()) == shown.encode().split()


def test_a_monitor_line_quotes_everything() -> None:
    """No byte of a client can break the line."""
    assert line(1_500_000, 2, "1.2.3.4:5", [b"SET", b'a"\r\n\x00', "é".encode()]) == (
        b'+1.500000 [2 1.2.3.4:5] "SET" "a\\"\\r\\n\\x00" "\\xc3\\xa9"\r\n'
    )


def test_a_graph_has_a_column_per_sample() -> None:
    """The greatest value reaches the top row, the least the bottom one, labels read downwards."""
    assert render([(1, "9s"), (5, "8s"), (9, "7s")]).split("\n") == ["  #", " _|", " ||", "_||", "", "987", "sss", ""]
    assert age(59) + age(61) + age(7300) + age(200_000) == "59s1m2h2d"


def test_a_digest_follows_the_definition() -> None:
    """Exclusive or ignores order, mixing doesn't, and nothing hashes to zero."""
    assert digest.hexadecimal(digest.ZERO) == "0" * 40
    assert digest.hexadecimal(digest.xor(0, b"x")) == sha1(b"x").hexdigest()
    assert digest.hexadecimal(digest.mix(0, b"x")) == sha1(sha1(b"x").digest()).hexdigest()
    assert digest.xor(digest.xor(0, b"x"), b"y") == digest.xor(digest.xor(0, b"y"), b"x")
    assert digest.mix_all(0, (b"x", b"y")) != digest.mix_all(0, (b"y", b"x"))


def test_notification_letters_become_bits() -> None:
    """Without a channel or without an event there is nothing to publish."""
    assert flags_of("") == flags_of("KE") == flags_of("A") == 0
    assert flags_of("K$") == KEYSPACE | EV_STRING
    assert flags_of("AKE") & (KEYSPACE | KEYEVENT | EV_STRING) == KEYSPACE | KEYEVENT | EV_STRING


def test_the_words_of_shutdown() -> None:
    """Flags combine, contradictions and strangers are errors, ABORT stands alone."""
    assert parse([]) == ShutdownRequest()
    assert parse([b"nosave", b"NOW", b"force"]) == ShutdownRequest(False, True, True)
    assert parse([b"abort"]) is None
    for words in ([b"x"], [b"SAVE", b"NOSAVE"], [b"ABORT", b"NOW"]):
        with pytest.raises(CommandError):
            parse(words)


def test_sizes_and_times_for_people() -> None:
    """Sizes have one unit and two decimals; the mean time to live is estimated from keys of the table."""
    assert [human(0), human(1023), human(1536), human(3 << 30)] == ["0B", "1023B", "1.50K", "3.00G"]
    db = Db(0, State())
    assert average_ttl_ms(db, 0) == 0
    for number in range(10):
        db.put(b"%d" % number, b"v")
        db.expire_at(b"%d" % number, 1000 + number)
    assert 1000 <= average_ttl_ms(db, 0) <= 1010


def test_the_memory_doctor_speaks() -> None:
    """Little data, a healthy server, a peak far above, readers that are slow."""
    big = 1 << 30
    assert "little data" in diagnose(1000, 1000, 0, [])
    assert "healthy" in diagnose(big, big, 0, [0])
    assert "peaked" in diagnose(big, 2 * big, 0, [0])
    assert "slowly" in diagnose(big, big, 0, [10 << 20])
