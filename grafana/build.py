"""Writes the dashboards' JSON: `python -m grafana.build [FOLDER]`; `--check` only compares with what is there."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueTextMode, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    ValueMap,
    ValueMappingResult,
    VariableRefresh,
)

from grafana.overview import OVERVIEW
from grafana.panel import Board, Kind, Panel

FOLDER = Path(__file__).parent / "dashboards"
BOARDS = (OVERVIEW,)
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
REF_IDS = "ABCDEFGH"


def board_json(board: Board) -> str:
    """The dashboard as Grafana imports it."""
    builder = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags(["understudy"])
        .editable()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("5s")
        .time("now-15m", "now")
        .timezone("browser")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("job")
            .label("job")
            .datasource(SOURCE)
            .query("label_values(understudy_start_time_seconds, job)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .include_all(True)
            .all_value(".*")
            .multi(True)
        )
    )
    ids = count(1)
    for section in board.sections:
        builder = builder.with_row(dashboard.Row(section.title).id(next(ids)))
        for panel in section.panels:
            builder = builder.with_panel(_panel(panel).id(next(ids)))
    return JSONEncoder(sort_keys=True, indent=2).encode(builder.build()) + "\n"


def _panel(panel: Panel) -> Any:
    """The builder of one panel."""
    builder = {Kind.LINES: _lines, Kind.NUMBER: _number, Kind.STATES: _states}[panel.kind]()
    builder = (
        builder.title(panel.title)
        .description(panel.description)
        .datasource(SOURCE)
        .unit(panel.unit)
        .height(panel.height)
        .span(panel.width)
    )
    if panel.states:
        builder = builder.mappings([_mapping(panel.states)])
    for ref_id, query in zip(REF_IDS, panel.queries, strict=False):
        target = prometheus.Dataquery().ref_id(ref_id).expr(query.expr).legend_format(query.legend)
        target = target.instant() if panel.kind is Kind.NUMBER else target.range()
        builder = builder.with_target(target)
    return builder


def _lines() -> Any:
    legend = VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    return timeseries.Panel().fill_opacity(10).line_width(1).min(0).legend(legend)


def _number() -> Any:
    last = ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().text_mode(BigValueTextMode.VALUE_AND_NAME).reduce_options(last)


def _states() -> Any:
    return statetimeline.Panel().merge_values(True)


def _mapping(states: tuple[tuple[int, str, str], ...]) -> ValueMap:
    options = {
        str(value): ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, text, colour) in enumerate(states)
    }
    return ValueMap(options=options)


def main(args: list[str]) -> int:
    """Write, or with --check compare; 1 when a file is not what the code would write."""
    check = "--check" in args
    folders = [Path(arg) for arg in args if not arg.startswith("-")]
    folder = folders[0] if folders else FOLDER
    stale = 0
    for board in BOARDS:
        path = folder / f"{board.uid}.json"
        text = board_json(board)
        if not check:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(path)
        elif not path.exists() or path.read_text() != text:
            print(f"{path} is not what python -m grafana.build writes", file=sys.stderr)
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
