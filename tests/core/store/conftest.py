"""Every test that asks for `store_url` or `make_store` runs twice: on SQLite, and on PostgreSQL where there is one.

PostgreSQL is looked for at TEST_POSTGRESQL, by default on its usual port of this host. Each test has a schema of its
own there, so tests may run at the same time and leave nothing behind. Without a server those tests are skipped, or
fail where TEST_REQUIRE_SERVICES=1 says that there must be one.
"""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from narthex.clock import SystemClock
from narthex.store import Store
from narthex.store.address import parse

SERVER = os.environ.get("TEST_POSTGRESQL", "postgresql://root@127.0.0.1:5432/test")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a store that does not exist yet, as it would stand in the file."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/narthex.db"
    else:
        yield from _schema()


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """As `store_url`, for what only PostgreSQL does."""
    yield from _schema()


@pytest.fixture(params=["sqlite", "memory", "postgresql"])
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """As `store_url`, and a third time in memory: for what one process does alone."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return "memory" if request.param == "memory" else f"sqlite:///{tmp_path}/narthex.db"


@pytest.fixture
def make_store(store_url: str, tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Make a store at `store_url`, not started; two of them stand for two processes of a deployment.

    Keyword arguments are Store's, and `clock`. What a test forgets to stop is closed at its end.
    """
    made: list[Store] = []

    def make(**options: Any) -> Store:
        clock = options.pop("clock", None) or SystemClock()
        made.append(Store(parse(store_url, tmp_path), clock, **options))
        return made[-1]

    yield make
    for store in made:
        store._close()


def _schema() -> Iterator[str]:
    reason = _unreachable()
    if reason:
        if os.environ.get("TEST_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    schema = f"narthex_{uuid4().hex[:16]}"
    name = sql.Identifier(schema)
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
        try:
            yield f"{SERVER}{'&' if '?' in SERVER else '?'}options=-csearch_path%3D{schema}"
        finally:
            # What a killed process left open would hold the tables for as long as the server has not noticed.
            connection.execute("SET lock_timeout = '10s'")
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(name))


@cache
def _unreachable() -> str:
    """Why there is no PostgreSQL to test on, or ""."""
    try:
        psycopg.connect(SERVER, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        return f"no PostgreSQL at {SERVER.rpartition('@')[2]}: {str(error).partition(chr(10))[0]}"
    return ""
