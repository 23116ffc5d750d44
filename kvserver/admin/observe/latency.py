"""LATENCY: spikes of named events, and the latency histogram of each command.

An event lasting at least latency-monitor-threshold milliseconds leaves a sample; of one second only the worst
is kept, of one event the last 160. The histograms are counted by the executor, in powers of two of a
microsecond; here they are only read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from kvserver.admin.context import admin_of
from kvserver.admin.observe.sparkline import render
from kvserver.config.quoting import decode
from kvserver.engine.command_table.row import Row
from kvserver.engine.run.session import Session
from kvserver.errors import CommandError
from kvserver.wire.resp import array, array_header, bulk, integer, map_header, simple, verbatim

SAMPLES = 160
MAX_EVENTS = 128
FASTEST_CLASS = 2
"""The executor counts calls of less than 2**2 microseconds only in their total."""

HELP = (
    "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DOCTOR",
    "    Explain the spikes seen so far, and what may help.",
    "GRAPH <event>",
    "    Draw the samples of an event.",
    "HISTOGRAM [<command> ...]",
    "    Reply how many calls of a command, or of each one, took up to so many microseconds.",
    "HISTORY <event>",
    "    Reply the samples of an event: Unix time and milliseconds.",
    "LATEST",
    "    Reply the last and the worst sample of each event.",
    "RESET [<event> ...]",
    "    Forget the samples of the named events, or of all.",
    "HELP",
    "    Print this help.",
)
ADVICE = {
    "command": "Look at SLOWLOG GET for the commands that took long, and split large values and requests.",
    "fast-command": "Commands that never take long took long: the process did not get the processor. "
    "Look for other load on this machine, and for a hypervisor that shares it out.",
    "expire-cycle": "Many keys expire at once: spread their times to live, or raise hz.",
    "eviction-cycle": "Much is evicted at once: raise maxmemory, or write large values in parts.",
    "eviction-del": "Large values are evicted: keep values smaller.",
    "aof-write": "Writing the log takes long: put dir on a fast local disk that nothing else uses.",
    "aof-fsync-always": "appendfsync always waits for the disk before each reply: use a faster disk, or everysec.",
    "loop-stall": "The event loop stood still: look at what ran then in the log and in the metrics.",
}


class Series:
    """The samples of one event, oldest first: (Unix time in s, ms)."""

    def __init__(self) -> None:
        self.samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES)
        self.worst_ms = 0

    def add(self, now_s: int, latency_ms: int) -> None:
        """Keep a sample, the worst of its second."""
        self.worst_ms = max(self.worst_ms, latency_ms)
        if self.samples and self.samples[-1][0] == now_s:
            latency_ms = max(latency_ms, self.samples.pop()[1])
        self.samples.append((now_s, latency_ms))


class LatencyMonitor:
    """The series by event name."""

    def __init__(self) -> None:
        self.events: dict[str, Series] = {}

    def add(self, event: str, now_s: int, latency_ms: int) -> None:
        """Note a spike that reached the threshold."""
        if event in self.events or len(self.events) < MAX_EVENTS:
            self.events.setdefault(event, Series()).add(now_s, latency_ms)

    def reset(self, names: Iterable[str]) -> int:
        """Forget the named events; returns how many there were."""
        return sum(self.events.pop(name, None) is not None for name in list(names))


def history(c: Session, a: list[bytes]) -> bytes:
    """LATENCY HISTORY event."""
    series = admin_of(c).latency.events.get(decode(a[2]))
    samples = series.samples if series else ()
    return array([array([integer(when), integer(ms)]) for when, ms in samples])


def latest(c: Session, a: list[bytes]) -> bytes:
    """LATENCY LATEST: name, time and ms of the last sample, worst ms."""
    rows = [
        array([bulk(name.encode()), *map(integer, series.samples[-1]), integer(series.worst_ms)])
        for name, series in admin_of(c).latency.events.items()
    ]
    return array(rows)


def reset(c: Session, a: list[bytes]) -> bytes:
    """LATENCY RESET [event ...]."""
    monitor = admin_of(c).latency
    return integer(monitor.reset([decode(name) for name in a[2:]] if len(a) > 2 else list(monitor.events)))


def graph(c: Session, a: list[bytes]) -> bytes:
    """LATENCY GRAPH event."""
    name = decode(a[2])
    series = admin_of(c).latency.events.get(name)
    if series is None:
        raise CommandError(f"ERR No samples available for event '{name}'")
    values = [ms for _, ms in series.samples]
    now_s = c.engine.state.now_ms // 1000
    head = f"{name} - high {max(values)} ms, low {min(values)} ms (all time high {series.worst_ms} ms)\n"
    drawing = render([(ms, age(now_s - when)) for when, ms in series.samples])
    return verbatim((head + "-" * 80 + "\n" + drawing).encode("utf-8", "surrogateescape"), c.resp)


def age(seconds: int) -> str:
    """How long ago, in one unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{max(0, seconds)}s"


def doctor(c: Session, a: list[bytes]) -> bytes:
    """LATENCY DOCTOR."""
    admin = admin_of(c)
    return verbatim(
        report(
            admin.latency.events,
            admin.config.latency_monitor_threshold,
            admin.config.slowlog_log_slower_than,
            c.engine.state.now_ms // 1000,
        ).encode(),
        c.resp,
    )


def report(events: dict[str, Series], threshold_ms: int, slower_than_us: int, now_s: int) -> str:
    """The doctor's findings, one line an event, then what may help."""
    if not events and threshold_ms == 0:
        return (
            "Latency monitoring is disabled in this instance. "
            "CONFIG SET latency-monitor-threshold <milliseconds> enables it.\n"
        )
    if not events:
        return f"No event has taken {threshold_ms} ms or more so far.\n"
    lines = [f"{len(events)} kind(s) of events have taken {threshold_ms} ms or more:", ""]
    for number, (name, series) in enumerate(events.items(), 1):
        values = [ms for _, ms in series.samples]
        mean = sum(values) // len(values)
        deviation = sum(abs(ms - mean) for ms in values) // len(values)
        period = max(1, now_s - series.samples[0][0]) / len(values)
        lines.append(
            f"{number}. {name}: {len(values)} latency spikes (average {mean}ms, mean deviation {deviation}ms, "
            f"period {period:.2f} sec). Worst all time event {series.worst_ms}ms."
        )
    lines += ["", "What may help:", ""]
    if "command" in events and not 0 <= slower_than_us <= threshold_ms * 1000:
        lines.append(
            f"- CONFIG SET slowlog-log-slower-than {threshold_ms * 1000}, so that the slow log has such commands."
        )
    lines += [f"- {ADVICE[name]}" for name in events if name in ADVICE]
    return "\n".join(lines) + "\n"


def histogram(c: Session, a: list[bytes]) -> bytes:
    """LATENCY HISTOGRAM [command ...]."""
    if not admin_of(c).config.latency_tracking:
        return map_header(0, c.resp)
    if len(a) > 2:
        named = [c.engine.rows.get(name.upper()) or _sub(c, name) for name in a[2:]]
        chosen: list[Row] = [row for row in named if row is not None]
    else:
        chosen = list(dict.fromkeys(c.engine.rows.values()))
    rows = [row for parent in chosen for row in (parent, *(parent.subs or {}).values()) if row.calls]
    return map_header(len(rows), c.resp) + b"".join(
        bulk(row.name.encode()) + _distribution(row, c.resp) for row in rows
    )


def _sub(c: Session, name: bytes) -> Row | None:
    container, _, sub = name.upper().partition(b"|")
    row = c.engine.rows.get(container)
    return (row.subs or {}).get(sub) if row else None


def histogram_of(row: Row) -> list[int]:
    """Calls of less than 2**i microseconds and at least half of it, for each i; the fastest are one class."""
    counts = list(row.buckets)
    counts[FASTEST_CLASS] += max(0, row.calls - sum(counts))
    return counts


def _distribution(row: Row, proto: int) -> bytes:
    """Calls, and how many of them took up to 1, 2, 4, ... microseconds, where that number grows."""
    cumulative = 0
    pairs: list[bytes] = []
    for power, count in enumerate(histogram_of(row)):
        if count:
            cumulative += count
            pairs.append(integer(1 << power) + integer(cumulative))
    return b"".join(
        [
            map_header(2, proto),
            bulk(b"calls"),
            integer(cumulative),
            bulk(b"histogram_usec"),
            map_header(len(pairs), proto),
            *pairs,
        ]
    )


def percentile(row: Row, percent: float) -> int:
    """Microseconds that `percent` of a command's calls did not exceed, to the next power of two."""
    wanted = row.calls * percent / 100
    cumulative = 0
    for power, count in enumerate(histogram_of(row)):
        cumulative += count
        if count and cumulative >= wanted:
            return 1 << power
    return 0


def help_(c: Session, a: list[bytes]) -> bytes:
    """LATENCY HELP."""
    return array_header(len(HELP)) + b"".join(simple(line) for line in HELP)


HANDLERS = {
    "LATENCY|DOCTOR": doctor,
    "LATENCY|GRAPH": graph,
    "LATENCY|HELP": help_,
    "LATENCY|HISTOGRAM": histogram,
    "LATENCY|HISTORY": history,
    "LATENCY|LATEST": latest,
    "LATENCY|RESET": reset,
}
