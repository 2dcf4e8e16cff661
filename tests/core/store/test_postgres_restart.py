"""A PostgreSQL that is restarted, or crashes, under load: what was acknowledged is there, and nobody hangs.

`make test ARGS='tests/core/store/test_postgres_restart.py -s'` prints how long it takes to write again.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from narthex.errors import DependencyError
from narthex.store import Store
from tests.core.store.ground import log, note, open_store
from tests.core.store.own_postgres import Server, own_postgres, programs

TASKS = 32


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that may be stopped."""
    found = programs()
    if found is None:
        if os.environ.get("TEST_REQUIRE_SERVICES") == "1":
            pytest.fail("no PostgreSQL programs (initdb) on the path or below /usr/lib/postgresql")
        pytest.skip("no PostgreSQL programs (initdb) on the path or below /usr/lib/postgresql")
    with own_postgres(found) as running:
        yield running


@dataclass
class Load:
    """Tasks that write one record after the other, and keep what was acknowledged and how long it took.

    Attributes:
        acknowledged: text to version.
        at: times of acknowledgements.
        refusals: how many DependencyErrors.
        slowest: seconds the longest write took to be answered, either way.
    """

    store: Store
    acknowledged: dict[str, int] = field(default_factory=dict)
    at: list[float] = field(default_factory=list)
    refusals: int = 0
    slowest: float = 0.0
    over: bool = False

    async def write(self, task: int) -> None:
        number = 0
        while not self.over:
            number += 1
            text, begun = f"{task} {number}", time.monotonic()
            try:
                self.acknowledged[text] = await self.store.write(note(text))
                self.at.append(time.monotonic())
            except DependencyError:
                self.refusals += 1
                await asyncio.sleep(0.01)
            self.slowest = max(self.slowest, time.monotonic() - begun)

    def gap(self, since: float) -> float:
        """The longest silence after `since`, in seconds."""
        times = [since, *(at for at in self.at if at > since)]
        return max(later - earlier for earlier, later in pairwise(times))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_a_restart_under_load_loses_nothing_acknowledged(how: signal.Signals, server: Server, tmp_path: Path) -> None:
    async def main() -> Load:
        async with open_store(server.url, tmp_path) as store:
            before = await store.read(log.last)
            load = Load(store)
            tasks = [asyncio.create_task(load.write(number)) for number in range(TASKS)]
            await asyncio.sleep(0.5)
            stopped = time.monotonic()
            await asyncio.to_thread(server.stop, how)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(server.start)
            up, count = time.monotonic(), len(load.at)
            while len(load.at) < count + 100:
                await asyncio.sleep(0.01)
                assert time.monotonic() - up < 20, "writes did not succeed again"
            load.over = True
            await asyncio.wait_for(asyncio.gather(*tasks), 20)
            report = (
                f"{how.name}: {load.gap(stopped):.2f} s without a write, {load.at[count] - up:.2f} s after its return"
            )
            sys.stdout.write(f"{report}; {len(load.acknowledged)} acknowledged, {load.refusals} refused\n")
            rows = {row["version"]: row["text"] for row in await store.read(lambda c: log.after(c, before, 10**6))}
            assert {text: version for version, text in rows.items() if text in load.acknowledged} == load.acknowledged
            assert sorted(rows) == list(range(before + 1, before + 1 + len(rows)))
            return load

    load = asyncio.run(main())
    assert load.refusals >= TASKS
    assert load.slowest < 5


def test_records_acknowledged_without_the_disk_are_lost_which_shows_that_the_test_can_tell(server: Server) -> None:
    import psycopg

    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE control (number integer)")
        # Else the server syncs of its own accord every 0.2 s, sooner than a busy machine comes to kill it.
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("SET synchronous_commit = off")
        for number in range(200):
            connection.execute("INSERT INTO control VALUES (%s)", [number])
        server.stop(signal.SIGQUIT)
    server.start()
    with psycopg.connect(server.url) as connection:
        (count,) = connection.execute("SELECT count(*) FROM control").fetchone() or (0,)
        connection.commit()
        connection.autocommit = True
        connection.execute("ALTER SYSTEM RESET wal_writer_delay")
        connection.execute("SELECT pg_reload_conf()")
    assert count < 200


def test_the_link_and_readers_come_back_too(server: Server, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_store(server.url, tmp_path) as store:
            mark = store.link.mark("notes")
            await asyncio.to_thread(server.stop, signal.SIGQUIT)
            with pytest.raises(DependencyError):
                await asyncio.wait_for(store.read(log.last), 10)
            assert (await asyncio.wait_for(store.health(), 10)).status == "fail"
            await asyncio.to_thread(server.start)
            assert await asyncio.wait_for(store.read(log.last), 10) >= 0
            assert (await store.health()).status == "pass"
            deadline = time.monotonic() + 15
            while store.link.mark("notes") == mark:
                await asyncio.sleep(0.05)
                assert time.monotonic() < deadline

    asyncio.run(main())
