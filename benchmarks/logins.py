"""How long logins keep the event loop: `python -m benchmarks.logins`.

Twenty people log in at once, round after round, while a task asks every millisecond to be called and notes how late it
is, and how much processor time the loop's thread has spent since the last time ("busy"): the program's own part,
which a loaded machine hardly changes. All ways verify the same hashes with the same parameters; ours also reads the
account and the throttle from a store on the disk. The first line is the machine's own lateness with nothing to do, for
as long: where that is high, no lateness below it means anything. The loop is uvloop's where that is installed, as under
uvicorn.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from sqlalchemy import Connection

from narthex.clock import SystemClock
from narthex.store import Store
from narthex.store.address import parse
from narthex_plugins.auth.account_settings import PasswordSettings, ThrottleSettings
from narthex_plugins.auth.accounts import Accounts
from narthex_plugins.auth.logins import log_in
from narthex_plugins.auth.passwords import Passwords
from narthex_plugins.auth.tables import tables
from narthex_plugins.auth.throttle import Throttle
from narthex_plugins.auth.users import StoredUsers, User

PASSWORD: Final = "correct horse battery"
TICK: Final = 0.001
Login = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds: the whole round, how late each tick was, and the processor's time on the loop's thread before it."""

    took: float
    late: list[float]
    busy: list[float]


async def watched(work: Callable[[], Awaitable[object]]) -> Round:
    """Do the work, and look how late the loop comes back."""
    late: list[float] = []
    busy: list[float] = []

    async def tick() -> None:
        while True:
            due, spent = time.perf_counter() + TICK, time.thread_time()
            await asyncio.sleep(TICK)
            late.append(time.perf_counter() - due)
            busy.append(time.thread_time() - spent)

    ticking = asyncio.ensure_future(tick())
    await asyncio.sleep(5 * TICK)
    began = time.perf_counter()
    await work()
    took = time.perf_counter() - began
    await asyncio.sleep(2 * TICK)  # a loop that was held up to the end says so now
    ticking.cancel()
    with suppress(asyncio.CancelledError):
        await ticking
    return Round(took, late, busy)


async def rounds(login: Login, people: int, count: int) -> list[Round]:
    """So many people at once, so many times; the first round is for warming up."""
    done = [await watched(lambda: asyncio.gather(*map(login, range(people)))) for _ in range(count + 1)]
    return done[1:]


def line(name: str, found: list[Round]) -> str:
    """One row of the table, in milliseconds."""
    worst = [max(one.late) * 1000 for one in found]
    every = sorted(late * 1000 for one in found for late in one.late)
    p99 = every[int(len(every) * 0.99)]
    busy = max(max(one.busy) for one in found) * 1000
    took = statistics.median(one.took for one in found) * 1000
    return f"{name:<44}{max(worst):>10.1f}{statistics.median(worst):>14.1f}{p99:>8.1f}{busy:>12.1f}{took:>14.0f}"


async def compare(settings: PasswordSettings, people: int, count: int) -> None:
    """Measure every way and print the table."""
    hasher = PasswordHasher(settings.passes, settings.memory // 1024, settings.lanes)
    hashed = hasher.hash(PASSWORD)

    async def in_the_loop(_number: int) -> None:
        hasher.verify(hashed, PASSWORD)

    async def in_a_thread(_number: int) -> None:
        await asyncio.to_thread(hasher.verify, hashed, PASSWORD)

    print(f"{people} logins at once, {count} rounds; how late the loop was, in ms")
    print(f"{'':<44}{'worst':>10}{'worst/round':>14}{'p99':>8}{'worst busy':>12}{'round took':>14}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        store = Store(parse("sqlite:///narthex.db", Path(directory)), SystemClock())
        await store.start([tables])
        pool, accounts = Passwords(settings), Accounts("auth")
        users = StoredUsers(store, SystemClock(), pool, "auth")
        throttle = Throttle(store, SystemClock(), ThrottleSettings(), "auth")

        def everybody(connection: Connection) -> None:
            for number in range(people):
                accounts.add(connection, f"user{number}", hashed, 0.0)

        await store.write(everybody)

        async def ours(number: int) -> None:
            found = await log_in(users, throttle, f"user{number}", PASSWORD, "127.0.0.1")
            assert isinstance(found, User)

        try:
            found = await rounds(ours, people, count)
            idle = [await watched(partial(asyncio.sleep, one.took)) for one in found]
            print(line("nothing to do", idle))
            print(line(f"narthex, {settings.concurrency} at a time", found), flush=True)
        finally:
            await store.stop()
            pool.close()
    print(line("asyncio.to_thread", await rounds(in_a_thread, people, count)), flush=True)
    print(line("argon2 in the loop", await rounds(in_the_loop, people, min(count, 5))))


def new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.logins", description=__doc__)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--memory", type=int, default=64, help="MiB of one verification (64)")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--lanes", type=int, default=4)
    parser.add_argument("--concurrency", type=int, default=2, help="verifications at a time (2)")
    chosen = parser.parse_args()
    settings = PasswordSettings(
        memory=chosen.memory * 1024 * 1024,
        passes=chosen.passes,
        lanes=chosen.lanes,
        concurrency=chosen.concurrency,
    )
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(compare(settings, chosen.people, chosen.rounds))


if __name__ == "__main__":
    main()
