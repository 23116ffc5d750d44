"""The judgement of a file."""

from __future__ import annotations

import struct

from support.rdbfiles import by_hand, engine_of_all_types, snapshot_bytes, text

from persistence.rdb.check import check_rdb, lines


def test_a_whole_file_is_summed_up() -> None:
    """Keys by type and database, expiries, and that the checksum agrees."""
    report = check_rdb([snapshot_bytes(engine_of_all_types(), (b"code",))], 2_000_000_000_000)
    assert report.error is None
    assert report.keys == {"string": 24, "list": 4, "set": 8, "hash": 4, "zset": 4}
    assert report.databases == {0: 22, 3: 22}
    assert (report.expires, report.expired, report.functions) == (4, 2, 1)
    assert report.aux["redis-ver"] == "7.0.15"
    assert report.checksum
    assert list(lines(report))[-1].endswith("the file is whole")


def test_damage_is_placed() -> None:
    """The report of a damaged file says what is wrong, where, and behind which key; what came before counts."""
    good = b"\x00" + text(b"good") + text(b"v")
    data = by_hand(good, b"\x60" + text(b"bad") + text(b"v"))
    report = check_rdb([data[:5], data[5:]], 0)
    assert report.error is not None
    assert report.error.offset == 9 + len(good) + 5
    assert report.keys == {"string": 1}
    assert "Unknown value type 96" in list(lines(report))[-1]
    assert list(lines(report))[-1].endswith("behind the key 'good'")


def test_truncation_and_what_follows_the_end() -> None:
    """A file that ends early is no whole file; bytes behind the end are told, but harm nothing."""
    data = by_hand(b"\xfc" + struct.pack("<q", 5) + b"\x00" + text(b"k") + text(b"v"))
    assert "Unexpected end" in str(check_rdb([data[:-1]], 0).error)
    report = check_rdb([data, b"more"], 10)
    assert report.error is None
    assert (report.trailing, report.expired) == (4, 1)
