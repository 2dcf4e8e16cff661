"""Durable records a second, against the same by other ways, in turns of a few hundredths of a second.

What counts here is the wall clock: a commit waits for the disk. Disk and processors have other users, whose bursts last
longer than a round of turns, so a ratio is taken within each round, and the middle one of all rounds is given. The
interval comes from drawing the rounds again. Beside it stands the ratio of the quickest tenths: what an idle machine
would give, as far as one was to be had.

The loop is uvloop's where that is installed, as under uvicorn, for all ways alike.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.records import WAYS, Way, Write, fsync_p50
from benchmarks.stats import Blocks, Estimate

NAME: Final = "store"
"""What `--only` calls this part of the run."""
_SEED, _RESAMPLES = 20, 400
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bar:
    """How many times as many records a second as its peer a way has to write."""

    way: str
    peer: str
    at_least: float


BARS: Final = (
    Bar("store, 64 waiters", "sqlite3, one commit per record", 12),
    Bar("store, 64 waiters", "sqlalchemy + aiosqlite, 64 waiters", 25),
    Bar("store on postgresql, 64 waiters", "asyncpg pool of 10, 64 waiters", 5),
    Bar("store, alone", "sqlalchemy, one commit", 1),
    Bar("store, alone", "sqlalchemy, one commit, version from a counter", 1),
    Bar("store, alone", "sqlalchemy in a thread, one commit", 1),
)


@dataclass(slots=True)
class Measured:
    """What a run gave.

    Attributes:
        rates: records a second in each round, by way.
        fsyncs: seconds of a sync in each round.
        skipped: why a way was not measured, by way.
    """

    rates: dict[str, list[float]] = field(default_factory=dict)
    fsyncs: list[float] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def blocks(self) -> Blocks:
        """Nanoseconds per record in each round."""
        return Blocks({name: [1e9 / rate for rate in rates] for name, rates in self.rates.items()})

    def ratio(self, way: str, peer: str) -> Estimate:
        """The middle of the ratios within rounds, and the interval of 95 % of resamplings."""
        ratios = [one / two for one, two in zip(self.rates[way], self.rates[peer], strict=True)]
        draw = random.Random(_SEED)
        drawn = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(_RESAMPLES))
        edge = round(0.025 * _RESAMPLES)
        return Estimate(statistics.median(ratios), drawn[edge], drawn[-1 - edge])


def on_a_loop(directory: Path, rounds: int) -> Measured:
    """Run on uvloop where it is installed, else on asyncio's own loop."""
    measuring = run(directory.absolute(), rounds)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(measuring)
    return uvloop.run(measuring)


async def run(directory: Path, rounds: int, slice_: float = 0.03) -> Measured:
    """Open every way and give each a slice per round, in a new order each time.

    Args:
        directory: absolute, on the disk to measure; a new one is made in it.
        slice_: seconds.
    """
    measured = Measured()
    with tempfile.TemporaryDirectory(dir=directory) as place:
        async with AsyncExitStack() as stack:
            ready: list[tuple[Way, Write]] = []
            for way in WAYS:
                try:
                    write = await stack.enter_async_context(way.open(Path(place)))
                except (ImportError, OSError, _postgresql_error()) as error:
                    measured.skipped[way.name] = str(error).partition("\n")[0]
                    continue
                await turn(way, write, slice_)
                ready.append((way, write))
            shuffle = random.Random(_SEED).shuffle
            for _ in range(rounds):
                shuffle(ready)
                measured.fsyncs.append(fsync_p50(Path(place)))
                for way, write in ready:
                    measured.rates.setdefault(way.name, []).append(await turn(way, write, slice_))
    return measured


async def turn(way: Way, write: Write, seconds: float) -> float:
    """Records a second: of those that were begun in the slice, until the last of them is acknowledged."""
    begun = time.perf_counter()
    end = begun + seconds

    async def waiter() -> int:
        count = 0
        while not count or time.perf_counter() < end:
            await write()
            count += 1
        return count

    counts = await asyncio.gather(*(waiter() for _ in range(way.waiters)))
    return sum(counts) / (time.perf_counter() - begun)


def _postgresql_error() -> type[Exception]:
    try:
        import psycopg
    except ImportError:
        return OSError
    return psycopg.Error


def document(measured: Measured) -> Document:
    """Everything, for machines."""
    blocks = measured.blocks()
    return {
        "unit": "durable records per second of wall clock: 90th percentile of turns, 95 % bootstrap interval",
        "rounds": blocks.rounds,
        "fsync_p50_ms": round(statistics.median(measured.fsyncs) * 1000, 3),
        "fsync_p10_ms": round(sorted(measured.fsyncs)[len(measured.fsyncs) // 10] * 1000, 3),
        "rows": [{"name": name, **_plain(blocks.estimate(_rate(name)), 0)} for name in measured.rates],
        "ratios": [
            {
                "row": bar.way,
                "peer": bar.peer,
                "at_least": bar.at_least,
                "quickest": round(blocks.estimate(_ratio(bar)).value, 2),
                **_plain(measured.ratio(bar.way, bar.peer), 2),
            }
            for bar in BARS
            if bar.way in measured.rates and bar.peer in measured.rates
        ],
        "skipped": measured.skipped,
    }


def _rate(name: str) -> Callable[[Mapping[str, float]], float]:
    return lambda costs: 1e9 / costs[name]


def _ratio(bar: Bar) -> Callable[[Mapping[str, float]], float]:
    return lambda costs: costs[bar.peer] / costs[bar.way]


def _plain(estimate: Estimate, digits: int) -> dict[str, float]:
    return {name: round(getattr(estimate, name), digits) for name in ("value", "low", "high")}


def table(result: Document) -> str:
    """Lay the document out for a terminal."""
    title = f"durable records; a sync takes {result['fsync_p10_ms']:.2f} ms (p10), {result['fsync_p50_ms']:.2f} (p50)"
    lines = [f"{title:64}{'per second':>12}{'95 % interval':>18}"]
    for row in result["rows"]:
        spread = f"{row['low']:.0f} .. {row['high']:.0f}"
        lines.append(f"  {row['name']:62}{row['value']:12.0f}{spread:>18}")
    lines += ["", f"{'times as many as its peer':64}{'ratio':>8}{'95 % interval':>16}{'quickest':>10}  bar"]
    for ratio in result["ratios"]:
        spread = f"{ratio['low']:.2f} .. {ratio['high']:.2f}"
        kept = "kept" if ratio["value"] >= ratio["at_least"] else "MISSED"
        pair = f"{ratio['row']} / {ratio['peer']}"
        figures = f"{ratio['value']:8.2f}{spread:>16}{ratio['quickest']:10.2f}"
        lines.append(f"  {pair:62}{figures}  >= {ratio['at_least']:g} {kept}")
    lines += [f"  {name}: not run, {why}" for name, why in result["skipped"].items()]
    return "\n".join(lines)


def missed(result: Document) -> list[str]:
    """Name the bars that were not kept."""
    return [
        f"{one['row']} writes {one['value']:.2f} times what {one['peer']} does; the bar is {one['at_least']:g}"
        for one in result["ratios"]
        if one["value"] < one["at_least"]
    ]
