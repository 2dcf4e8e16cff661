"""A process that writes through the store and says over a pipe what was acknowledged: the victim of every test here.

Each line in the pipe is one system call and tells one thing. "acknowledged" is written by the event loop's thread
after `await store.write(...)` has returned, and not before.

    acknowledged NUMBER VERSION     the record is promised to be there
    refused NUMBER                  its job failed on purpose: nothing of it may be there
    unavailable NUMBER MESSAGE      DependencyError: it may be there or not
    unread SEEN MESSAGE             DependencyError from a read
    unstarted MESSAGE               StartError from the start
    resumed NUMBER                  after whatever went wrong, the store took a record again
    gap SEEN VERSION...             the log's reader missed something
    done                            the run came to its end
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Literal

from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, Text, event, insert

from narthex.clock import SystemClock
from narthex.errors import DependencyError, StartError
from narthex.store import RisingLog, Store, engines, log_columns
from narthex.store.address import parse

metadata = MetaData()
records = Table("fault_records", metadata, *log_columns(), Column("id", Integer), Column("body", Text))
notes = Table("fault_notes", metadata, Column("id", Integer, primary_key=True), Column("body", Text))
log = RisingLog("fault", records)

CHECKPOINT = 40
"""Pages in the WAL after which SQLite copies them into the database: few, so that a short run meets it."""

ATTEMPTS = 60
"""Records tried at the end of a patient run before it is given up."""

Variant = Literal["honest", "early", "NORMAL", "OFF"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does.

    Attributes:
        first: the number of the first record.
        groups: how many times records are written at once.
        size: how many of them; every fourth group is a single record.
        patient: whether a start that fails is tried again, and single records are written at the end until the
            last of them is acknowledged.
        variant: honest, or one of three ways to break the promise, so that the tests can show that they would see it:
            "early" acknowledges before the commit, the others are SQLite's `synchronous`.
        follow: whether the log is read meanwhile; if not, the writer's connection is the only one.
    """

    database: Path
    first: int = 1
    groups: int = 8
    size: int = 4
    patient: bool = False
    variant: Variant = "honest"
    follow: bool = True

    def numbers(self) -> Sequence[Sequence[int]]:
        """The records' numbers, group by group."""
        sizes = [1 if at % 4 == 0 else self.size for at in range(self.groups)]
        starts = [self.first + sum(sizes[:at]) for at in range(self.groups)]
        return [range(start, start + size) for start, size in zip(starts, sizes, strict=True)]


class Refused(Exception):
    """What a job raises that fails on purpose."""


def body(number: int) -> str:
    """A record's content, found again in the bytes of a file by its beginning; some need several pages."""
    return f"record {number};" + "x" * (20, 900, 9000)[number % 3]


def note(number: int) -> Callable[[Connection], int]:
    """A job that is nothing but a function: a row of a table and one of the log, in one."""

    def job(connection: Connection) -> int:
        connection.execute(insert(notes).values(id=number, body=body(number)))
        return log.append_in(connection, [{"id": number, "body": body(number)}])[0]

    return job


def clumsy(number: int) -> Callable[[Connection], int]:
    """A job that fails after it has written: nothing of it may ever be seen."""

    def job(connection: Connection) -> int:
        note(number)(connection)
        raise Refused

    return job


def job_for(number: int) -> Callable[[Connection], int]:
    """Rows for the log, among them plain functions, and some that fail."""
    if number % 11 == 5:
        return clumsy(number)
    return note(number) if number % 3 == 1 else log.appending({"id": number, "body": body(number)})


class Run:
    """One life of a store, told down a pipe."""

    def __init__(self, plan: Plan, pipe: int) -> None:
        self._plan = plan
        self._pipe = pipe
        self._store = Store(parse(f"sqlite:///{plan.database}", Path("/")), SystemClock())

    def tell(self, *words: object) -> None:
        """Say one thing, whole, in one system call."""
        os.write(self._pipe, (" ".join(map(str, words)) + "\n").encode())

    async def live(self) -> None:
        """Write groups of records at once, some alone, and follow the log meanwhile."""
        await self.start()
        seen = await self.look(0)
        for numbers in self._plan.numbers():
            await asyncio.gather(*(self.write(number) for number in numbers))
            seen = await self.look(seen)
        if self._plan.patient:
            await self.insist()
        await self._store.stop()
        self.tell("done")

    async def insist(self) -> None:
        """Write until the store takes it again."""
        for number in range(self._plan.first + 900, self._plan.first + 900 + ATTEMPTS):
            if await self.write(number):
                self.tell("resumed", number)
                return
            await asyncio.sleep(0.05)

    async def start(self) -> None:
        """Open the store; a patient one is started again and again, as a supervisor would."""
        while True:
            try:
                await self._store.start()
                await self._store.write(metadata.create_all)
            except (StartError, DependencyError) as error:
                self.tell("unstarted", error)
                await self._store.stop()
                if not self._plan.patient:
                    raise
            else:
                return

    async def write(self, number: int) -> bool:
        """Write one record and tell how that ended; whether it is there."""
        job = self.early(number) if self._plan.variant == "early" else job_for(number)
        try:
            version = await self._store.write(job)
        except Refused:
            self.tell("refused", number)
        except DependencyError as error:
            self.tell("unavailable", number, error)
        else:
            if self._plan.variant != "early":
                self.tell("acknowledged", number, version)
            return True
        return False

    def early(self, number: int) -> Callable[[Connection], int]:
        """The job that lies: it acknowledges where it runs, before the commit."""

        def job(connection: Connection) -> int:
            version = job_for(number)(connection)
            self.tell("acknowledged", number, version)
            return version

        return job

    async def look(self, seen: int) -> int:
        """Follow the log, and see that no version is missing."""
        if not self._plan.follow:
            return 0
        try:
            rows = await self._store.read(lambda connection: log.after(connection, seen))
        except DependencyError as error:
            self.tell("unread", seen, error)
            return seen
        versions = [row["version"] for row in rows]
        if versions != list(range(seen + 1, seen + 1 + len(rows))):
            self.tell("gap", seen, *versions)
        return seen + len(rows)


def checkpoint_often(connection: sqlite3.Connection, _record: object) -> None:
    """Have SQLite look after every commit whether the WAL is long enough to be copied."""
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}").close()


def relax(synchronous: str) -> None:
    """Take SQLite's promise away."""
    prepare = engines._preparing
    engines._preparing = lambda pragmas: prepare((*pragmas, f"PRAGMA synchronous = {synchronous}"))


def main(plan: Plan, pipe: Pipe, go: Pipe) -> None:
    """Wait until somebody has taken hold of this process, then live; its log goes to a file beside the database."""
    os.dup2(os.open(f"{plan.database}.stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    event.listen(Engine, "connect", checkpoint_often)
    if plan.variant in ("NORMAL", "OFF"):
        relax(plan.variant)
    go.recv_bytes()
    asyncio.run(Run(plan, pipe.fileno()).live())
