"""The interleaved run in one process.

On the clock is processor time, never wall time: of the thread that runs the event loop while it awaits the
app, and of every other thread of the process from the start of a candidate's block until its threads have
nothing left to do. So a log writer in the background is charged for what it writes, to the candidate it
writes for. Building the scopes is off the clock; calling the app, the app itself and a `send` that drops
the message are on it, for the bare app too.

The event loop is started once. Each block runs in a task of its own, as a server's request does, so no
context variable leaks from one candidate to the next. The cyclic garbage collector is off inside blocks and
runs between rounds, after `gc.freeze` has put aside what is there at the start: when a collection happens
to run says nothing about a candidate. What it would have to collect is counted instead, per request.
"""

import asyncio
import contextlib
import gc
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.asgi import ASGIApp, Message
from benchmarks.candidates import Candidate, NotThere
from benchmarks.lifespan import started
from benchmarks.traffic import BODY, Requests, discard, receive

_CHUNK = 32
"""Most requests whose scopes are made at once: few enough to stay in the processor's cache."""
_LONGER = 4
"""How much longer a block is where threads work in the background: a writer that gathers lines for some 10 ms must
find as many as on a busy server, or waking it would weigh more than it does there."""
_QUIET = 0.025
"""Seconds without work on other threads after which they count as done; longer than a log writer lingers."""
_SEED = 20


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: rounds, and seconds of processor time per block."""

    rounds: int = 400
    block: float = 0.003
    warm: float = 0.05


@dataclass(slots=True, eq=False)
class Runner:
    """One candidate, ready to run."""

    row: Candidate
    app: ASGIApp
    requests: Requests
    chunk: int = _CHUNK
    chunks: int = 1
    costs: list[float] = field(default_factory=list)
    cycles: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the run gave: runners with their costs in nanoseconds per request, and why the others did not run."""

    runners: Sequence[Runner]
    skipped: dict[str, str]


async def run(rows: Sequence[Candidate], effort: Effort) -> Outcome:
    """Build, check, warm and measure the rows."""
    skipped: dict[str, str] = {}
    runners: list[Runner] = []
    async with contextlib.AsyncExitStack() as stack:
        for row in rows:
            if not row.in_process:
                continue
            try:
                app = row.build()
            except (ModuleNotFoundError, NotThere) as missing:
                skipped[row.name] = str(missing)
                continue
            if row.lifespan:
                await stack.enter_async_context(started(app))
            runners.append(Runner(row, app, Requests(row.paths)))
        for runner in runners:
            await _prepare(runner, effort)
        await _rounds(runners, effort)
    return Outcome(runners, skipped)


async def _prepare(runner: Runner, effort: Effort) -> None:
    await check(runner.app, runner.requests, runner.row.name)
    count, begun = 0, time.thread_time()
    while time.thread_time() - begun < effort.warm or count < _CHUNK:
        await block(runner)
        count += runner.chunk
    # Making scopes is in here, at about 4 µs each: somewhat short blocks of the cheapest rows do no harm.
    seconds = effort.block * (_LONGER if runner.row.background else 1)
    wanted = max(1, round(seconds * count / (time.thread_time() - begun)))
    runner.chunk = min(_CHUNK, wanted)
    runner.chunks = -(-wanted // runner.chunk)
    runner.cycles = await _cycles(runner)


async def _cycles(runner: Runner) -> float:
    """Count what the cyclic collector would have to free, per request."""
    gc.collect()
    gc.disable()
    try:
        await block(runner)
        return gc.collect() / (runner.chunk * runner.chunks)
    finally:
        gc.enable()


async def _rounds(runners: Sequence[Runner], effort: Effort) -> None:
    order = list(runners)
    shuffle = random.Random(_SEED).shuffle
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for _ in range(effort.rounds):
            shuffle(order)
            for runner in order:
                runner.costs.append(await block(runner))
            gc.collect()
    finally:
        gc.enable()
        gc.unfreeze()


async def block(runner: Runner) -> float:
    """Drive one block; give nanoseconds of processor time per request."""
    with runner.row.around():
        return await asyncio.create_task(_block(runner))


async def _block(runner: Runner) -> float:
    app, take, size = runner.app, runner.requests.take, runner.chunk
    thread = time.thread_time_ns
    spent, others = 0, _others()
    for _ in range(runner.chunks):
        scopes = take(size)
        begun = thread()
        for scope in scopes:
            await app(scope, receive, discard)
        spent += thread() - begun
    if runner.row.background:
        _settle()
    return (spent + _others() - others) / (size * runner.chunks)


def _others() -> int:
    """Give nanoseconds of processor time of all threads but this one."""
    return time.process_time_ns() - time.thread_time_ns()


def _settle() -> None:
    """Wait until the other threads have been idle for a while. Nothing is due on the event loop meanwhile."""
    seen, since = _others(), time.monotonic()
    while time.monotonic() - since < _QUIET:
        time.sleep(0.004)
        now = _others()
        if now - seen > 5_000:  # the two clocks are read one after the other: less is no work
            seen, since = now, time.monotonic()


async def check(app: ASGIApp, requests: Requests, name: str) -> list[Message]:
    """Send one request and make sure the app's answer came through.

    Raises:
        RuntimeError: another status or body.
    """
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    (scope,) = requests.take(1)
    await app(scope, receive, keep)
    body = b"".join(message.get("body", b"") for message in messages)
    if messages[0]["status"] != 200 or body != BODY:
        raise RuntimeError(f"{name} answered {messages[0]['status']} {body!r}")
    return messages
