"""What an RDB file holds, and whether it is whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from persistence.rdb.errors import RdbError
from persistence.rdb.model import KIND_NAMES, Aux, End, Event, Function, Key
from persistence.rdb.read.decoder import Decoder


@dataclass(slots=True)
class Report:
    """The outcome of a check. `error` is None for a file that is whole; the counts are of what stands before it."""

    version: int = 0
    aux: dict[str, str] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    """Number of keys by type."""
    databases: dict[int, int] = field(default_factory=dict)
    """Number of keys by database."""
    expires: int = 0
    expired: int = 0
    empty_keys: int = 0
    functions: int = 0
    checksum: int = 0
    """0 when the writer made none."""
    offset: int = 0
    """Bytes decoded."""
    trailing: int = 0
    """Bytes behind the end."""
    last_key: str = ""
    """The key read last, which tells where an error is."""
    error: RdbError | None = None


def check_rdb(pieces: Iterable[bytes], now_ms: int) -> Report:
    """Decode a file given in pieces; what is wrong stands in the report."""
    report = Report()
    decoder = Decoder()
    behind = 0
    try:
        for piece in pieces:
            if decoder.ended:
                behind += len(piece)
                continue
            for event in decoder.feed(piece):
                _count(report, event, now_ms)
            report.version, report.offset = decoder.version, decoder.offset
        decoder.finish()
    except RdbError as error:
        report.error = error
        for event in decoder.salvaged:
            _count(report, event, now_ms)
    report.empty_keys = decoder.empty_keys
    report.trailing = behind + len(decoder.rest) if decoder.ended else 0
    return report


def _count(report: Report, event: Event, now_ms: int) -> None:
    if isinstance(event, Key):
        kind = KIND_NAMES[event.kind]
        report.keys[kind] = report.keys.get(kind, 0) + 1
        report.databases[event.db] = report.databases.get(event.db, 0) + 1
        report.expires += event.expire_ms >= 0
        report.expired += 0 <= event.expire_ms <= now_ms
        report.last_key = event.key.decode("utf-8", "backslashreplace")
    elif isinstance(event, Aux):
        report.aux[event.name.decode("latin-1")] = event.value.decode("utf-8", "backslashreplace")
    elif isinstance(event, Function):
        report.functions += 1
    elif isinstance(event, End):
        report.checksum = event.checksum


def lines(report: Report) -> Iterator[str]:
    """The report for people."""
    yield f"RDB version {report.version}"
    for name, value in report.aux.items():
        yield f"{name}: {value}"
    for db, count in report.databases.items():
        yield f"database {db}: {count} keys"
    for kind, count in report.keys.items():
        yield f"{kind}: {count} keys"
    yield f"{sum(report.keys.values())} keys, {report.expires} with an expiry, {report.expired} of them expired"
    if report.functions:
        yield f"{report.functions} function libraries"
    if report.empty_keys:
        yield f"{report.empty_keys} empty keys, which loading leaves out"
    if report.trailing:
        yield f"{report.trailing} bytes behind the end, which loading ignores"
    if report.error is not None:
        behind = f", behind the key {report.last_key!r}" if report.last_key else ""
        yield f"ERROR: {report.error}{behind}"
    else:
        yield f"{'checksum verified' if report.checksum else 'no checksum'}, {report.offset} bytes, the file is whole"
