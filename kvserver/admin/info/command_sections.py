"""The sections about commands: commandstats, errorstats, latencystats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kvserver.admin.context import Admin
from kvserver.admin.observe.latency import percentile
from kvserver.config.own_syntax import format_percentile
from kvserver.engine.command_table.row import Row
from kvserver.engine.run.executor import Engine

Fields = Iterable[tuple[str, object]]


def all_rows(engine: Engine) -> Iterator[Row]:
    """Each command and subcommand once."""
    for row in dict.fromkeys(engine.rows.values()):
        yield row
        yield from (row.subs or {}).values()


def commandstats(admin: Admin) -> Fields:
    """Calls, time, refusals and failures of each command that was sent."""
    for row in all_rows(admin.node.engine):
        if row.calls or row.rejected or row.failed:
            usec = round(row.seconds * 1e6)
            mean = usec / row.calls if row.calls else 0
            yield (
                f"cmdstat_{row.name}",
                f"calls={row.calls},usec={usec},usec_per_call={mean:.2f},"
                f"rejected_calls={row.rejected},failed_calls={row.failed}",
            )


def errorstats(admin: Admin) -> Fields:
    """Error replies by their code."""
    for code, count in sorted(admin.node.engine.errors.items()):
        yield f"errorstat_{code}", f"count={count}"


def latencystats(admin: Admin) -> Fields:
    """Percentiles of each command's latency, to the next power of two of a microsecond."""
    if not admin.config.latency_tracking:
        return
    percents = admin.config.latency_tracking_info_percentiles
    for row in all_rows(admin.node.engine):
        if row.calls:
            shown = (f"p{format_percentile(p)}={percentile(row, p):.3f}" for p in percents)
            yield f"latency_percentiles_usec_{row.name}", ",".join(shown)


SECTIONS: dict[str, Callable[[Admin], Fields]] = {
    "commandstats": commandstats,
    "errorstats": errorstats,
    "latencystats": latencystats,
}
