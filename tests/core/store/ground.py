"""What the tests of the store stand on: a rising log, a table that takes no name twice, and stores that are open."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, select

from narthex.clock import SystemClock
from narthex.store import RisingLog, Store, log_columns
from narthex.store.address import parse
from narthex.store.engines import writing
from narthex.store.groups import Job
from narthex.store.logs import Append
from narthex.store.schema import metadata as core
from narthex.store.writer import Writer

metadata: Final = MetaData()
notes: Final = Table("notes", metadata, *log_columns(), Column("text", String(200)), Column("aside", String(200)))
names: Final = Table("names", metadata, Column("name", String(200), primary_key=True))
log: Final = RisingLog("test:notes", notes)


class Boom(Exception):
    """What a job raises."""


def note(text: str) -> Append:
    """A job that appends to the log."""
    return log.appending({"text": text})


def name(text: str) -> Job[str]:
    """A job that writes a name, and gives it back; a name that is there already is an IntegrityError."""

    def write(connection: Connection) -> str:
        connection.execute(insert(names), {"name": text})
        return text

    return write


def boom(connection: Connection) -> None:
    """A job that writes and then raises."""
    name("of a job that raised")(connection)
    raise Boom


def all_names(connection: Connection) -> list[str]:
    """Every name, sorted."""
    return list(connection.execute(select(names.c.name).order_by(names.c.name)).scalars())


def all_notes(connection: Connection) -> list[str]:
    """Every text of the log, in order of versions."""
    return [row["text"] for row in log.after(connection, 0, limit=1_000_000)]


class Gate:
    """A job that keeps the writer busy until it is let go, so that a group gathers behind it."""

    def __init__(self) -> None:
        self._entered, self._open = threading.Event(), threading.Event()

    def __call__(self, connection: Connection) -> None:
        self._entered.set()
        assert self._open.wait(30)

    def shut(self, writer: Writer | Store) -> None:
        """Post it, and wait until the writer stands before it."""
        assert writer.post(self)
        assert self.entered()

    def entered(self) -> bool:
        """Wait until the writer stands before it; False where it does not come."""
        return self._entered.wait(30)

    def open(self) -> None:
        """Let the writer go on."""
        self._open.set()


@asynccontextmanager
async def open_store(url: str, directory: Path, **options: Any) -> AsyncIterator[Store]:
    """A started store with the tables above."""
    clock = options.pop("clock", None) or SystemClock()
    store = Store(parse(url, directory), clock, **options)
    await store.start()
    try:
        await store.write(metadata.create_all)
        yield store
    finally:
        await store.stop()


@contextmanager
def run_writer(url: str, directory: Path, **options: Any) -> Iterator[Writer]:
    """A writer alone, started, with the tables above."""
    engine = writing(parse(url, directory))
    with engine.begin() as connection:
        core.create_all(connection)
        metadata.create_all(connection)
    writer = Writer(engine, **options)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()
        engine.dispose()
