"""Processes that write to one store: each gets its turn, and a reader that follows them misses nothing."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, RowMapping, func, select

from narthex.store import Store
from tests.fault.conftest import Report
from tests.fault.crowd import Errand, Tally, crowd, log, numbered, open_store, prepare, rising

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]

PROCESSES, WRITERS = 8, 6


def compete(database: Path, seconds: float, *, fair: bool) -> list[Tally]:
    url = f"sqlite:///{database}"
    with crowd([Errand(url, number, seconds=seconds, fair=fair) for number in range(PROCESSES)]) as tallies:
        return tallies()


def figures(tallies: Sequence[Tally]) -> str:
    waits = sorted(wait for tally in tallies for wait in tally.waits)
    p50, p99, worst = (waits[min(int(len(waits) * part), len(waits) - 1)] * 1000 for part in (0.5, 0.99, 1))
    counts = [len(tally.waits) for tally in tallies]
    share = sum(counts) / len(counts)
    return (
        f"{sum(counts)} records, shares {min(counts) / share:.2f} to {max(counts) / share:.2f} of the fair one, "
        f"waits p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {worst:.0f} ms, {sum(t.refused for t in tallies)} refused"
    )


def test_each_of_eight_processes_gets_its_share(tmp_path: Path, full: bool, report: Report) -> None:
    seconds = 30 if full else 3
    fair = compete(tmp_path / "fair.db", seconds, fair=True)
    report(f"{PROCESSES} processes, {seconds} s, with the turnstile: {figures(fair)}")
    plain = compete(tmp_path / "plain.db", seconds, fair=False)
    report(f"{PROCESSES} processes, {seconds} s, SQLite's busy handler alone: {figures(plain)}")
    counts = [len(tally.waits) for tally in fair]
    share = sum(counts) / PROCESSES
    assert all(share / 2 <= count <= share * 2 for count in counts)
    assert not sum(tally.refused for tally in fair)
    assert max(map(worst, plain)) > max(map(worst, fair))


def worst(tally: Tally) -> float:
    return max(tally.waits)


async def follow(store: Store, errands: Sequence[Errand]) -> tuple[int, int]:
    """Read what the errands write, always only what is above the last version seen; rows read, and rows there."""
    numbered_rows = errands[0].sequence
    table = numbered if numbered_rows else rising
    read, seen = 0, 0

    def after(connection: Connection) -> Sequence[RowMapping]:
        if not numbered_rows:
            return log.after(connection, seen)
        query = select(numbered).where(numbered.c.version > seen).order_by(numbered.c.version).limit(1000)
        return connection.execute(query).mappings().all()

    with crowd(errands) as tallies:
        writing = asyncio.create_task(asyncio.to_thread(tallies))
        while True:
            last = writing.done()
            rows = await store.read(after)
            read, seen = read + len(rows), rows[-1]["version"] if rows else seen
            if last and not rows:
                break
    await writing
    count = select(func.count()).select_from(table)
    return read, await store.read(lambda connection: connection.execute(count).scalar_one())


def chase(url: str, groups: int, *, sequence: bool = False) -> tuple[int, int]:
    async def run() -> tuple[int, int]:
        store = open_store(url)
        await prepare(store)
        delay = 0.02 if sequence else 0.003  # the control must miss some on any machine
        errands = [Errand(url, at, groups=groups, size=20, delay=delay, sequence=sequence) for at in range(WRITERS)]
        try:
            return await follow(store, errands)
        finally:
            await store.stop()

    return asyncio.run(run())


def groups(full: bool) -> int:
    return 170 if full else 17


def test_a_reader_of_a_rising_log_misses_nothing_on_sqlite(tmp_path: Path, full: bool, report: Report) -> None:
    read, there = chase(f"sqlite:///{tmp_path}/narthex.db", groups(full))
    report(f"rising log on SQLite, {WRITERS} writers: {there - read} of {there} rows missed")
    assert read == there == groups(full) * 20 * WRITERS


def test_a_reader_of_a_rising_log_misses_nothing_on_postgresql(postgresql_url: str, full: bool, report: Report) -> None:
    read, there = chase(postgresql_url, groups(full))
    report(f"rising log on PostgreSQL, {WRITERS} writers: {there - read} of {there} rows missed")
    assert read == there == groups(full) * 20 * WRITERS


def test_a_reader_of_a_bare_sequence_misses_rows(postgresql_url: str, full: bool, report: Report) -> None:
    read, there = chase(postgresql_url, groups(full), sequence=True)
    report(f"control, a bare sequence on PostgreSQL, {WRITERS} writers: {there - read} of {there} rows missed")
    assert read < there == groups(full) * 20 * WRITERS


def test_groups_over_two_logs_in_crossed_order_do_not_block_each_other(postgresql_url: str, report: Report) -> None:
    # Each would hold the row of its first log and wait for the other's: a deadlock, found after a second.
    errands = [Errand(postgresql_url, number, groups=60, crossed=True) for number in range(2)]
    with crowd(errands) as tallies:
        longest = max(map(worst, tallies()))
    report(f"two processes on PostgreSQL, two logs in crossed order: worst wait {longest * 1000:.0f} ms")
    assert longest < 0.9
