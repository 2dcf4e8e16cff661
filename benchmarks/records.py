"""Ways to put a record on disk before it is acknowledged. Each writes the same row, columns and key alike.

What each commit writes, with SQLite: ours a row into a table that is its key's tree, as the plugins' logs are, and the
counter that the row's version is taken from: two pages. The others a row into an ordinary table and its key into the
index: two pages; they count in Python, which takes no page, and is right for one process only. One of them takes the
version from a counter in the database, as ours has to, since other processes write too: three pages.
"""

import asyncio
import importlib
import itertools
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import BigInteger, Column, Engine, MetaData, String, Table, create_engine, event, insert, update

from narthex.clock import SystemClock
from narthex.store import RisingLog, Store, log_columns
from narthex.store.address import parse

SERVER: Final = os.environ.get("TEST_POSTGRESQL", "postgresql://root@127.0.0.1:5432/test")
TEXT: Final = "a session of alice's was ended by herself"
ROW: Final = {"subject": "alice", "text": TEXT}

Write = Callable[[], Awaitable[object]]
"""Put one record on disk; returns when it is there."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to write.

    Attributes:
        name: of the row in the table.
        waiters: tasks that write at the same time, each its next record when the last one is acknowledged.
        open: gives `Write` while it is entered; the argument is a directory on the disk to measure.
    """

    name: str
    waiters: int
    open: Callable[[Path], AbstractAsyncContextManager[Write]]


def _table(name: str, **options: Any) -> Table:
    columns = Column("subject", String(200), nullable=False), Column("text", String(200))
    return Table(name, MetaData(), *log_columns(), *columns, **options)


@asynccontextmanager
async def _store(url: str, directory: Path) -> AsyncIterator[Write]:
    store = Store(parse(url, directory), SystemClock())
    await store.start()
    try:
        table = _table("records", sqlite_with_rowid=False)
        log = RisingLog("bench:records", table)
        await store.write(table.create)
        yield lambda: store.write(log.appending(dict(ROW)))
    finally:
        await store.stop()


def ours(directory: Path) -> AbstractAsyncContextManager[Write]:
    return _store(f"sqlite:///{_new_file(directory)}", directory)


@asynccontextmanager
async def ours_on_postgresql(directory: Path) -> AsyncIterator[Write]:
    async with _schema() as schema:
        url = f"{SERVER}{'&' if '?' in SERVER else '?'}options=-csearch_path%3D{schema}"
        async with _store(url, directory) as write:
            yield write


@asynccontextmanager
async def plain_sqlite(directory: Path) -> AsyncIterator[Write]:
    """The driver alone, on the loop's own thread: nothing but BEGIN, INSERT, COMMIT."""
    connection = sqlite3.connect(_new_file(directory), isolation_level=None)
    _durable(connection)
    connection.execute(_CREATE)
    versions = itertools.count(1)

    async def write() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO records VALUES (?, ?, ?, ?)", ("bench", next(versions), *ROW.values()))
        connection.execute("COMMIT")

    yield write
    connection.close()


@asynccontextmanager
async def sqlalchemy_sync(directory: Path) -> AsyncIterator[Write]:
    """SQLAlchemy Core, on the loop's own thread, which a server could not do."""
    engine, table, versions = _sync_engine(_new_file(directory)), _table("records"), itertools.count(1)
    table.create(engine)
    statement = insert(table)

    async def write() -> None:
        with engine.begin() as connection:
            connection.execute(statement, {"log": "bench", "version": next(versions), **ROW})

    yield write
    engine.dispose()


@asynccontextmanager
async def sqlalchemy_counting(directory: Path) -> AsyncIterator[Write]:
    """The same, with the version from a counter in the same transaction: what several processes need."""
    engine, table = _sync_engine(_new_file(directory), immediate=True), _table("records")
    counter = Table(
        "counters", table.metadata, Column("name", String(200), primary_key=True), Column("value", BigInteger)
    )
    table.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(counter), {"name": "bench", "value": 0})
    statement = insert(table)
    advance = update(counter).where(counter.c.name == "bench").values(value=counter.c.value + 1)
    advancing = advance.returning(counter.c.value)

    async def write() -> None:
        with engine.begin() as connection:
            version = connection.execute(advancing).scalar_one()
            connection.execute(statement, {"log": "bench", "version": version, **ROW})

    yield write
    engine.dispose()


@asynccontextmanager
async def sqlalchemy_in_thread(directory: Path) -> AsyncIterator[Write]:
    """The same by `asyncio.to_thread`, as a server would."""
    engine, table, versions = _sync_engine(_new_file(directory)), _table("records"), itertools.count(1)
    table.create(engine)
    statement = insert(table)

    def commit() -> None:
        with engine.begin() as connection:
            connection.execute(statement, {"log": "bench", "version": next(versions), **ROW})

    yield lambda: asyncio.to_thread(commit)
    engine.dispose()


def sqlalchemy_async(directory: Path) -> AbstractAsyncContextManager[Write]:
    """With the pool that SQLAlchemy chooses: fifteen connections that wait for one lock."""
    return _aiosqlite(directory, connect_args={"timeout": 60})


def sqlalchemy_async_tuned(directory: Path) -> AbstractAsyncContextManager[Write]:
    """With one connection, so that nobody waits for a lock."""
    return _aiosqlite(directory, pool_size=1, max_overflow=0, pool_timeout=60)


@asynccontextmanager
async def _aiosqlite(directory: Path, **options: Any) -> AsyncIterator[Write]:
    from sqlalchemy.ext.asyncio import create_async_engine  # needs greenlet

    engine = create_async_engine(f"sqlite+aiosqlite:///{_new_file(directory)}", **options)
    event.listen(engine.sync_engine, "connect", lambda connection, _: _durable(connection))
    table, versions = _table("records"), itertools.count(1)
    statement = insert(table)
    async with engine.begin() as connection:
        await connection.run_sync(table.create)

    async def write() -> None:
        async with engine.begin() as connection:
            await connection.execute(statement, {"log": "bench", "version": next(versions), **ROW})

    yield write
    await engine.dispose()


@asynccontextmanager
async def asyncpg_pool(_directory: Path) -> AsyncIterator[Write]:
    """Ten connections, a commit for each record; PostgreSQL gathers commits of several connections by itself."""
    asyncpg = importlib.import_module("asyncpg")  # it has no types

    async with (
        _schema() as schema,
        asyncpg.create_pool(SERVER, min_size=10, max_size=10, server_settings={"search_path": schema}) as pool,
    ):
        await pool.execute(_CREATE)
        versions = itertools.count(1)

        async def write() -> None:
            await pool.execute("INSERT INTO records VALUES ($1, $2, $3, $4)", "bench", next(versions), *ROW.values())

        yield write


def fsync_p50(directory: Path, times: int = 9) -> float:
    """Seconds that this disk takes now to write a page behind a file's end and sync it, the middle one of `times`."""
    descriptor = os.open(directory / "probe", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        spent: list[float] = []
        for _ in range(times):
            os.write(descriptor, bytes(4096))
            begun = time.perf_counter()
            os.fdatasync(descriptor)
            spent.append(time.perf_counter() - begun)
        return sorted(spent)[times // 2]
    finally:
        os.close(descriptor)


_CREATE: Final = (
    "CREATE TABLE records (log VARCHAR(200) NOT NULL, version BIGINT NOT NULL, subject VARCHAR(200) NOT NULL,"
    " text VARCHAR(200), PRIMARY KEY (log, version))"
)


def _new_file(directory: Path) -> Path:
    return directory / f"{uuid4().hex[:12]}.db"


def _durable(connection: Any) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}").close()


def _sync_engine(file: Path, *, immediate: bool = False) -> Engine:
    """As SQLAlchemy has it, with a commit that is synced; `immediate` takes the lock before it reads."""
    engine = create_engine(f"sqlite:///{file}", connect_args={"isolation_level": "IMMEDIATE" if immediate else ""})
    event.listen(engine, "connect", lambda connection, _: _durable(connection))
    return engine


@asynccontextmanager
async def _schema() -> AsyncIterator[str]:
    import psycopg

    name = f"narthex_bench_{uuid4().hex[:12]}"
    async with await psycopg.AsyncConnection.connect(SERVER, autocommit=True, connect_timeout=3) as connection:
        await connection.execute(f"CREATE SCHEMA {name}")
        try:
            yield name
        finally:
            await connection.execute(f"DROP SCHEMA {name} CASCADE")


WAYS: Final = (
    Way("store, 64 waiters", 64, ours),
    Way("store, alone", 1, ours),
    Way("sqlite3, one commit per record", 1, plain_sqlite),
    Way("sqlalchemy, one commit", 1, sqlalchemy_sync),
    Way("sqlalchemy, one commit, version from a counter", 1, sqlalchemy_counting),
    Way("sqlalchemy in a thread, one commit", 1, sqlalchemy_in_thread),
    Way("sqlalchemy + aiosqlite, 64 waiters", 64, sqlalchemy_async),
    Way("sqlalchemy + aiosqlite, pool of 1", 64, sqlalchemy_async_tuned),
    Way("store on postgresql, 64 waiters", 64, ours_on_postgresql),
    Way("asyncpg pool of 10, 64 waiters", 64, asyncpg_pool),
)
