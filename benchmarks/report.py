"""The table for people and the JSON for machines."""

import math
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from benchmarks.measure import Effort, Outcome, Runner
from benchmarks.stats import Blocks, Estimate
from benchmarks.wire import Beside, Served

_PACKAGES = (
    "narthex", "asgi-correlation-id", "python-json-logger", "msgspec", "starlette", "starlette-exporter",
    "opentelemetry-instrumentation-asgi", "opentelemetry-sdk", "PyJWT", "litestar", "uvicorn", "uvloop",
)  # fmt: skip
Row = dict[str, Any]


def in_process(outcome: Outcome) -> tuple[list[Row], list[Row]]:
    """Work out the rows and the comparisons of the in-process run."""
    by_name = {runner.row.name: runner for runner in outcome.runners}
    blocks = Blocks({name: runner.costs for name, runner in by_name.items()})
    rows = [_row(runner, blocks) for runner in outcome.runners if runner.row.over in by_name]
    ratios = [
        {
            "row": runner.row.name,
            "peer": peer.name,
            "at_most": peer.at_most,
            **_estimate(blocks.ratio(runner.row.name, runner.row.over, peer.name, by_name[peer.name].row.over), 1),
        }
        for runner in outcome.runners
        for peer in runner.row.against
        if peer.name in by_name
    ]
    return rows, ratios


def _row(runner: Runner, blocks: Blocks) -> Row:
    row = runner.row
    return {
        "name": row.name,
        "group": row.group,
        "over": row.over,
        "cost_us": _estimate(blocks.cost(row.name), 1000),
        "added_us": _estimate(blocks.added(row.name, row.over), 1000),
        "cycles": round(runner.cycles, 3),
        "requests_per_block": runner.chunk * runner.chunks,
    }


def _estimate(estimate: Estimate, unit: float) -> dict[str, float]:
    return {name: round(getattr(estimate, name) / unit, 4) for name in ("value", "low", "high")}


def missed(ratios: Iterable[Row]) -> list[str]:
    """Name the bars that were not kept."""
    return [
        f"{ratio['row']} adds {ratio['value']:.2f} times what {ratio['peer']} adds; the bar is {ratio['at_most']}"
        for ratio in ratios
        if ratio["at_most"] is not None and not ratio["value"] <= ratio["at_most"]
    ]


def table(rows: Sequence[Row], ratios: Sequence[Row], skipped: dict[str, str]) -> str:
    """Lay the in-process run out for a terminal."""
    lines = [f"{'µs of processor time per request':42}{'cost':>9}{'added':>9}{'95 % interval':>20}{'cycles':>8}"]
    group = ""
    for row in rows:
        if row["group"] != group:
            group = row["group"]
            lines += ["", group]
        added, spread = row["added_us"], ""
        if row["over"] != row["name"]:
            spread = f"{added['low']:.2f} .. {added['high']:.2f}"
        shown = f"{added['value']:9.2f}" if spread else f"{'':9}"
        lines.append(f"  {row['name']:40}{row['cost_us']['value']:9.2f}{shown}{spread:>20}{row['cycles']:8.1f}")
    if ratios:
        lines += [
            "",
            f"{'what a row adds, divided by what its peer adds':64}{'ratio':>8}{'95 % interval':>16}  bar",
        ]
    for ratio in ratios:
        pair = f"{ratio['row']} / {ratio['peer']}"
        spread = f"{ratio['low']:.2f} .. {ratio['high']:.2f}"
        lines.append(f"  {pair:62}{ratio['value']:8.2f}{spread:>16}  {_bar(ratio)}")
    lines += [f"  {name}: not run, {why}" for name, why in skipped.items()]
    return "\n".join(lines)


def _bar(ratio: Row) -> str:
    if ratio["at_most"] is None or math.isnan(ratio["value"]):
        return ""
    return f"<= {ratio['at_most']} {'kept' if ratio['value'] <= ratio['at_most'] else 'MISSED'}"


def wire_table(served: Sequence[Served]) -> str:
    """Lay the run over uvicorn out for a terminal."""
    title = "over uvicorn on loopback"
    lines = [f"{title:42}{'req/s':>9}{'ratio':>9}{'95 % interval':>18}{'server µs':>12}"]
    for one in served:
        spread = f"{one.ratio.low:.2f} .. {one.ratio.high:.2f}"
        cpu = f"{one.server_us:12.1f}" if one.server_us is not None else ""
        lines.append(f"  {one.name:40}{one.per_second:9.0f}{one.ratio.value:9.2f}{spread:>18}{cpu}")
    pairs = [(one.name, beside) for one in served for beside in one.beside]
    if pairs:
        lines += ["", f"{'requests a second, divided by the peer':64}{'ratio':>8}{'95 % interval':>16}  bar"]
    for name, beside in pairs:
        spread = f"{beside.ratio.low:.2f} .. {beside.ratio.high:.2f}"
        kept = "" if beside.at_least is None else "MISSED" if _is_slow(beside) else "kept"
        bar = f">= {beside.at_least} {kept}" if kept else ""
        lines.append(f"  {f'{name} / {beside.peer}':62}{beside.ratio.value:8.2f}{spread:>16}  {bar}")
    return "\n".join(lines)


def missed_served(served: Sequence[Served]) -> list[str]:
    """Name the bars of the run over uvicorn that were not kept."""
    return [
        f"{one.name} serves {beside.ratio.value:.2f} times what {beside.peer} serves; the bar is {beside.at_least}"
        for one in served
        for beside in one.beside
        if _is_slow(beside)
    ]


def _is_slow(beside: Beside) -> bool:
    return beside.at_least is not None and not beside.ratio.value >= beside.at_least


def document(
    effort: Effort,
    rows: Sequence[Row],
    ratios: Sequence[Row],
    skipped: dict[str, str],
    served: Sequence[Served],
) -> Row:
    """Put everything into one JSON document, with what one needs to read it later."""
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "rounds": effort.rounds,
        "block_seconds": effort.block,
        "unit": "microseconds of process CPU time per request: 10th percentile of blocks, 95 % bootstrap interval",
        "rows": list(rows),
        "ratios": list(ratios),
        "skipped": skipped,
        "wire": [one.as_dict() for one in served],
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
