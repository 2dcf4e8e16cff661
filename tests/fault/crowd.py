"""Several processes that write to one store at once."""

import asyncio
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Identity, Integer, MetaData, Table, create_engine, insert

from narthex import store as narthex_store
from narthex.clock import SystemClock
from narthex.errors import DependencyError
from narthex.store import RisingLog, Store, log_columns
from narthex.store.address import parse

metadata = MetaData()
rising = Table("crowd_rising", metadata, *log_columns(), Column("writer", Integer))
number = Column("version", Integer, Identity(), primary_key=True)
numbered = Table("crowd_numbered", metadata, number, Column("writer", Integer))
log, other = RisingLog("crowd", rising), RisingLog("crowd:other", rising)

TIME = 120.0
"""Seconds after which a crowd counts as hanging."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What one process does.

    Attributes:
        url: the store's.
        writer: its number.
        seconds: how long it writes single records, one after the other; or 0 to write
        groups: so many, of `size` records at once, each held back for up to `delay` seconds before its commit.
        fair: whether it passes the turnstile, or relies on SQLite's busy handler alone.
        sequence: whether it writes past the store, rows that the database numbers.
        crossed: whether a group is a row for each of two logs, in an order that differs from writer to writer.
    """

    url: str
    writer: int = 0
    seconds: float = 0.0
    groups: int = 0
    size: int = 1
    delay: float = 0.0
    fair: bool = True
    sequence: bool = False
    crossed: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """What it came to: seconds that each acknowledged record waited, and records that were refused."""

    waits: Sequence[float]
    refused: int


class OpenGate:
    """In place of the turnstile: nobody waits for a turn."""

    def __init__(self, database: Path) -> None:
        pass

    def passing(self) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None:
        pass


def open_store(url: str) -> Store:
    """The store at an absolute address, not started."""
    return Store(parse(url, Path("/")), SystemClock())


async def prepare(store: Store) -> None:
    """Start it, with the crowd's tables."""
    await store.start()
    await store.write(metadata.create_all)


@contextmanager
def crowd(errands: Sequence[Errand]) -> Iterator[Callable[[], list[Tally]]]:
    """Start a process for each errand; they begin to write at one moment. The value waits for their tallies."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.fault.crowd", "tests.fault.workload"])
    start = context.Barrier(len(errands))
    pipes = [context.Pipe(duplex=False) for _ in errands]
    processes = [
        context.Process(target=_run, args=(errand, start, pipe[1]), daemon=True)
        for errand, pipe in zip(errands, pipes, strict=True)
    ]
    for process in processes:
        process.start()
    for _, mouth in pipes:
        mouth.close()

    def tallies() -> list[Tally]:
        if not all(ears.poll(TIME) for ears, _ in pipes):
            raise TimeoutError("a process of the crowd hangs")
        return [ears.recv() for ears, _ in pipes]

    try:
        yield tallies
    finally:
        for process, (ears, _) in zip(processes, pipes, strict=True):
            process.kill()
            process.join()
            ears.close()


def _run(errand: Errand, start: Barrier, mouth: Any) -> None:
    if not errand.fair:
        vars(narthex_store)["Turnstile"] = OpenGate
    mouth.send(asyncio.run(_errand(errand, start)))


async def _errand(errand: Errand, start: Barrier) -> Tally:
    store = open_store(errand.url)
    await prepare(store)
    await asyncio.to_thread(start.wait, TIME)
    if errand.sequence:
        tally = await asyncio.to_thread(_without_the_store, errand)
    else:
        tally = await (_alone(store, errand) if errand.seconds else _in_groups(store, errand))
    await store.stop()
    return tally


async def _alone(store: Store, errand: Errand) -> Tally:
    waits, refused, end = list[float](), 0, time.monotonic() + errand.seconds
    while (began := time.monotonic()) < end:
        try:
            await store.write(log.appending({"writer": errand.writer}))
        except DependencyError:
            refused += 1
        waits.append(time.monotonic() - began)
    return Tally(waits, refused)


async def _in_groups(store: Store, errand: Errand) -> Tally:
    dice = random.Random(errand.writer)

    def dawdle(connection: Connection) -> None:
        time.sleep(dice.random() * errand.delay)

    row = {"writer": errand.writer}
    jobs = [log.appending(row)] * errand.size
    if errand.crossed:
        jobs = [chosen.appending(row) for chosen in ((log, other), (other, log))[errand.writer % 2]]
    waits = list[float]()
    for _ in range(errand.groups):
        began = time.monotonic()
        await asyncio.gather(*map(store.write, jobs), store.write(dawdle))
        waits.append(time.monotonic() - began)
    return Tally(waits, 0)


def _without_the_store(errand: Errand) -> Tally:
    """As anybody would: a transaction for each group, numbers from a sequence."""
    dice, engine = random.Random(errand.writer), create_engine(parse(errand.url, Path("/")).url)
    for _ in range(errand.groups):
        with engine.begin() as connection:
            connection.execute(insert(numbered), [{"writer": errand.writer}] * errand.size)
            time.sleep(dice.random() * errand.delay)
    engine.dispose()
    return Tally([], 0)
