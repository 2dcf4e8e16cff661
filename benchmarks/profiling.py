"""Where one candidate spends its time: cProfile over its requests, per request and function.

The profiler costs a fixed amount per call, so it overstates small functions: use it to find what is called,
and the table to see what a change is worth.
"""

import asyncio
import contextlib
import cProfile
import pstats
from pathlib import Path

from benchmarks.candidates import Candidate
from benchmarks.lifespan import started
from benchmarks.measure import Runner, block, check
from benchmarks.traffic import Requests

_LINES = 30


def profile(row: Candidate, requests: int) -> str:
    """Profile that many requests; give the most expensive functions, in nanoseconds per request."""
    profiler, cost = asyncio.run(_run(row, requests))
    lines = [
        f"{row.name}: {cost / 1000:.2f} µs per request without the profiler",
        f"{'own ns':>9}{'with callees':>14}{'calls':>8}  function",
    ]
    entries = sorted(pstats.Stats(profiler).get_stats_profile().func_profiles.items(), key=lambda one: -one[1].tottime)
    for name, entry in entries[:_LINES]:
        calls = float(entry.ncalls.split("/")[0]) / requests
        own, whole = (1e9 * seconds / requests for seconds in (entry.tottime, entry.cumtime))
        where = "" if entry.file_name == "~" else f"  {_short(entry.file_name)}:{entry.line_number}"
        lines.append(f"{own:9.0f}{whole:14.0f}{calls:8.2f}  {name}{where}")
    return "\n".join(lines)


def _short(file: str) -> str:
    return "/".join(Path(file).parts[-3:])


async def _run(row: Candidate, requests: int) -> tuple[cProfile.Profile, float]:
    app = row.build()
    runner = Runner(row, app, Requests(row.paths))
    profiler = cProfile.Profile()
    async with contextlib.AsyncExitStack() as stack:
        if row.lifespan:
            await stack.enter_async_context(started(app))
        await check(app, runner.requests, row.name)
        runner.chunks = 30
        cost = min([await block(runner) for _ in range(20)])
        runner.chunks = -(-requests // runner.chunk)
        profiler.enable()
        await block(runner)
        profiler.disable()
    return profiler, cost
