"""``python -m ops.conformance``: see the package's docstring."""

import argparse
import json
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ops.conformance import scoreboard
from ops.conformance.runner import Limits, UnitResult, run_unit
from ops.conformance.sentinels import PREFIX, run_sentinel_unit, sentinel_units
from ops.conformance.source import SourceError, certificates, suite
from ops.conformance.tree import ROOT, run_tree

DOCS = ROOT / "ops" / "docs"
RESULTS = DOCS / "conformance.json"
BASELINE = DOCS / "conformance-baseline.json"
BOARD = DOCS / "CONFORMANCE.md"
REASONS = Path(__file__).with_name("reasons.toml")
# Redis Cluster and modules are outside of what we serve.
LEFT_OUT = ("unit/cluster", "unit/moduleapi")


def main() -> int:
    """Run units, print their scores, and keep them where asked; the exit code is 1 when something failed."""
    options = _options()
    try:
        source = suite()
        results = _run(source, options)
    except SourceError as error:
        print(error, file=sys.stderr)
        return 2
    if options.peer and not options.tls:
        _keep(BASELINE, scoreboard.baseline_of({**_kept(BASELINE), **results}))
    elif options.record:
        merged = {**_kept(RESULTS), **results}
        _keep(RESULTS, merged)
        BOARD.write_text(scoreboard.markdown(merged, _kept(BASELINE), tomllib.loads(REASONS.read_text())))
    return int(any(entry["failures"] for entry in results.values()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ops.conformance", description="Run Redis's own test suite.")
    parser.add_argument("--unit", action="append", default=[], help="a unit (unit/type/list); repeatable")
    parser.add_argument("--integration", action="store_true", help="run the integration units as well")
    parser.add_argument("--sentinel", action="store_true", help="run the units of Sentinel instead")
    parser.add_argument("--ours", choices=("both", "sentinels", "servers"), default="both",
                        help="with --sentinel: which processes are ours, the others being Debian's")
    parser.add_argument("--tls", action="store_true", help="have the suite speak TLS; nothing is kept")
    parser.add_argument("--installed", action="store_true", help="run the installed package, compiled or not")
    parser.add_argument("--peer", action="store_true", help="run Debian's redis-server and keep the baseline")
    parser.add_argument("--record", action="store_true", help="keep the results of chosen units as well")
    parser.add_argument("--limit", type=float, default=Limits.unit_s, help="seconds for a unit")
    parser.add_argument("--silence", type=int, default=Limits.silence_s, help="seconds without any progress")
    parser.add_argument("--list", action="store_true", help="list the units and stop")
    options = parser.parse_args()
    options.record = (options.record or not (options.unit or options.sentinel)) and not options.tls
    if options.record and options.ours != "both":
        parser.error("--record keeps what is all ours")
    return options


def _units(source: Path, options: argparse.Namespace) -> list[str]:
    if options.unit:
        return list(options.unit)
    if options.sentinel:
        return sentinel_units(source)
    command = ["tclsh", "tests/test_helper.tcl", "--list-tests"]
    names = subprocess.run(command, cwd=source, capture_output=True, text=True, check=True).stdout.split()
    kinds = ("unit/", "integration/") if options.integration else ("unit/",)
    return [name for name in names if name.startswith(kinds) and not name.startswith(LEFT_OUT)]


def _run(source: Path, options: argparse.Namespace) -> scoreboard.Results:
    baseline = _kept(BASELINE)
    reasons = tomllib.loads(REASONS.read_text())
    results: scoreboard.Results = {}
    scores: dict[str, scoreboard.Score] = {}
    units = _units(source, options)
    if options.list:
        print("\n".join(units))
        return {}
    for unit in units:
        given_up = () if options.peer else reasons.get(unit, {}).get("given_up", {})
        entry = scoreboard.as_json(_run_one(source, unit, options, given_up))
        results[unit] = entry
        scores[unit] = scoreboard.score(entry, entry if options.peer else baseline.get(unit, {}))
        print(scoreboard.line(unit, scores[unit]), f"({entry['seconds']} s)", flush=True)
        for failure in entry["failures"] if options.unit or options.sentinel else ():
            print(f"  {failure['test'] or '(outside of a test)'}")
            print(textwrap.indent(failure["detail"], "    "))
    print(scoreboard.line("total", scoreboard.total(scores.values())))
    return results


def _run_one(source: Path, unit: str, options: argparse.Namespace, given_up: Iterable[str]) -> UnitResult:
    ours = "installed" if options.installed else "checkout"
    server = "peer" if options.peer or options.ours == "sentinels" else ours
    limits = Limits(unit_s=options.limit, silence_s=options.silence)
    if unit.startswith(PREFIX):
        sentinel = "peer" if options.peer or options.ours == "servers" else ours
        with run_tree(source, server, sentinel) as folder:
            return run_sentinel_unit(folder, unit, limits)
    with run_tree(source, server, tls=certificates(source) if options.tls else None) as folder:
        return run_unit(folder, unit, limits, given_up)


def _kept(path: Path) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return kept


def _keep(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{json.dumps(unit)}: {json.dumps(entry)}" for unit, entry in sorted(value.items())]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    sys.exit(main())
