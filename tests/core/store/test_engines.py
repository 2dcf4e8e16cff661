"""What the engines set up, and which errors are the world's."""

import sqlite3
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from narthex.store.address import parse
from narthex.store.engines import is_world, reading, writing


def test_a_sqlite_commit_is_an_fsync_of_a_log(tmp_path: Path) -> None:
    engine = writing(parse("sqlite:///narthex.db", tmp_path))
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    engine.dispose()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_sqlite_writer_takes_the_lock_when_it_begins(tmp_path: Path) -> None:
    engine = writing(parse("sqlite:///narthex.db", tmp_path))
    with engine.begin():
        other = sqlite3.connect(tmp_path / "narthex.db", timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    engine.dispose()


def test_a_postgresql_commit_waits_for_the_disk_whatever_was_set(postgresql_url: str, tmp_path: Path) -> None:
    def setting(url: str) -> str:
        engine = writing(parse(url, tmp_path))
        with engine.connect() as connection:
            found = str(connection.exec_driver_sql("SHOW synchronous_commit").scalar_one())
        engine.dispose()
        return found

    assert setting(postgresql_url) == "on"
    assert setting(f"{postgresql_url}%20-csynchronous_commit%3Doff") == "on"
    assert setting(f"{postgresql_url}%20-csynchronous_commit%3Dremote_apply") == "remote_apply"


@pytest.mark.parametrize("make", [writing, reading])
def test_engines_of_an_open_store_can_be_used_from_any_thread(make: object, store_url: str, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    engine = (writing if make is writing else reading)(parse(store_url, tmp_path))
    with engine.connect() as connection, ThreadPoolExecutor(1) as thread:
        assert thread.submit(lambda: connection.exec_driver_sql("SELECT 1").scalar_one()).result(10) == 1
    engine.dispose()


def sqlite_error(code: int) -> sqlite3.OperationalError:
    """As the driver raises it."""
    error = sqlite3.OperationalError("of the test")
    error.sqlite_errorcode = code
    return error


def wrapped(error: Exception) -> DBAPIError:
    """As SQLAlchemy raises it."""
    return OperationalError("SELECT", {}, error)


@pytest.mark.parametrize(
    "error",
    [
        sqlite_error(sqlite3.SQLITE_FULL),
        sqlite_error(sqlite3.SQLITE_IOERR_FSYNC),
        sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT),
        sqlite_error(sqlite3.SQLITE_READONLY_DBMOVED),
        psycopg.errors.AdminShutdown(),
        psycopg.errors.DiskFull(),
        psycopg.errors.ReadOnlySqlTransaction(),
        psycopg.OperationalError("connection refused"),
    ],
)
def test_disk_network_and_server_are_the_world(error: Exception) -> None:
    assert is_world(error)
    assert is_world(wrapped(error))


@pytest.mark.parametrize(
    "error",
    [
        sqlite_error(sqlite3.SQLITE_ERROR),
        sqlite_error(sqlite3.SQLITE_CONSTRAINT_UNIQUE),
        psycopg.errors.UniqueViolation(),
        psycopg.errors.UndefinedTable(),
        psycopg.errors.SyntaxError(),
        psycopg.DataError("a NUL in a text"),
    ],
)
def test_statements_and_values_are_not(error: Exception) -> None:
    assert not is_world(error)
    assert not is_world(wrapped(error))


def test_what_is_no_error_of_a_database_is_not_the_worlds_either() -> None:
    assert is_world(PoolTimeout())
    assert not is_world(OSError("a job's own"))
    assert not is_world(ValueError())
    assert not is_world(IntegrityError("INSERT", {}, psycopg.errors.UniqueViolation()))
