"""Run the benchmarks: `python -m benchmarks`."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import audit_log, measure, report, store, wire
from benchmarks.candidates import BARE, Candidate, registered, select
from benchmarks.profiling import profile

_RESULTS = Path(__file__).parent / "results"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: enough to see a large change")
    parser.add_argument("--json", type=Path, metavar="F", help="where to write the results (results/latest.json)")
    parser.add_argument(
        "--only", metavar="PATTERN", action="append", help="rows whose name matches, and their peers; may be repeated"
    )
    parser.add_argument("--store", action=argparse.BooleanOptionalAction, default=True, help="run the store")
    parser.add_argument("--audit-log", action="store_true", help="fill, verify and search a large audit log, minutes")
    parser.add_argument("--wire", action=argparse.BooleanOptionalAction, default=True, help="run over uvicorn")
    parser.add_argument("--rounds", type=int, help="rounds of the in-process run (400, quick 80)")
    parser.add_argument("--check", action="store_true", help="exit 1 where a bar is not kept")
    parser.add_argument("--list", action="store_true", help="name the rows and stop")
    parser.add_argument("--profile", metavar="ROW", help="profile one row instead")
    parser.add_argument("--requests", type=int, default=20_000, help="how many requests to profile")
    return parser.parse_args()


def main() -> int:
    """Measure, print the table, write the JSON. 1 with `--check` where a bar is missed, 2 for no such row."""
    chosen = _arguments()
    if chosen.list:
        print("\n".join([*registered(), store.NAME, audit_log.NAME]))
        return 0
    if chosen.profile:
        if chosen.profile not in registered():
            return _no_row(chosen.profile)
        print(profile(registered()[chosen.profile], chosen.requests))
        return 0
    file: Path = chosen.json or _RESULTS / "latest.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    only: list[str] = chosen.only or []
    patterns = [one for one in only if one not in (store.NAME, audit_log.NAME)]
    with_log = chosen.audit_log or audit_log.NAME in only
    with_store = chosen.store and (not only or store.NAME in only)
    rows = select(patterns) if patterns or not only else []
    if not rows and not with_store and not with_log:
        return _no_row(only)
    document, bars = _in_process(chosen, rows) if rows else ({}, [])
    if with_store:
        measured = store.on_a_loop(file.parent, chosen.rounds or (10 if chosen.quick else 60))
        document["store"] = store.document(measured)
        print("\n" + store.table(document["store"]))
        bars += store.missed(document["store"])
    if with_log:
        document[audit_log.NAME] = audit_log.run(file.parent, quick=chosen.quick)
        print("\n" + audit_log.table(document[audit_log.NAME]))
        bars += audit_log.missed(document[audit_log.NAME])
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten to {file}")
    for line in bars:
        print(f"bar missed: {line}")
    return 1 if chosen.check and bars else 0


def _in_process(chosen: argparse.Namespace, rows: Sequence[Candidate]) -> tuple[dict[str, Any], list[str]]:
    """Run the rows, over uvicorn too where that is wanted; give the document and the bars that were missed."""
    effort = measure.Effort(rounds=chosen.rounds or (80 if chosen.quick else 400))
    outcome = asyncio.run(measure.run(rows, effort))
    table, ratios = report.in_process(outcome)
    print(report.table(table, ratios, outcome.skipped), flush=True)

    served: list[wire.Served] = []
    runnable = [row for row in rows if row.wire and row.name not in outcome.skipped]
    if chosen.wire and any(row.name == BARE for row in runnable):
        load = wire.Load(rounds=min(effort.rounds, 4), slice=0.1) if chosen.quick else wire.Load()
        served = asyncio.run(wire.run(runnable, load))
        print("\n" + report.wire_table(served))
    bars = report.missed(ratios) + report.missed_served(served)
    return report.document(effort, table, ratios, outcome.skipped, served), bars


def _no_row(pattern: object) -> int:
    print(f"no row matches {pattern!r}; --list names them", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
