"""Rising logs: append-only, with versions that rise in the order of commits.

A sequence hands out numbers before the commit, so a reader at "everything above the last one I saw" misses the row
that was numbered early and committed late. Here the number is taken by an UPDATE of one row of `narthex_counters`
inside the writing transaction: whoever holds that row holds back every later version until the commit. What a reader
sees has no gap that will be filled.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Connection, Dialect, RowMapping, String, Table, select

from narthex.store.engines import driver_connection, translated
from narthex.store.rows import Rows
from narthex.store.schema import counters

PAGE: Final = 1000
"""Rows a reader takes at a time unless it says otherwise."""

# As text: building them anew for each group costs more than running them. SQLite makes a table in memory for RETURNING,
# 10 µs; there the group has had the database for itself since BEGIN IMMEDIATE, so it may look first and write then.
_ADVANCE: Final = (
    f"INSERT INTO {counters.name} (name, value) VALUES (%s, %s) ON CONFLICT (name)"  # noqa: S608  no input
    f" DO UPDATE SET value = {counters.name}.value + excluded.value RETURNING value"
)
_LOOK: Final = f"SELECT value FROM {counters.name} WHERE name = ?"  # noqa: S608
_BEGIN_AT: Final = f"INSERT INTO {counters.name} (value, name) VALUES (?, ?)"  # noqa: S608
_MOVE_TO: Final = f"UPDATE {counters.name} SET value = ? WHERE name = ?"  # noqa: S608


def log_columns() -> tuple[Column[Any], Column[Any]]:
    """The columns that make a table a rising log: its name and the version, together the primary key.

    Give the table `sqlite_with_rowid=False` where a row has some 200 bytes or less: SQLite then keeps rows in their
    key's tree, and a commit writes a page less. Longer rows are better off without. PostgreSQL knows no difference.
    """
    return (
        Column("log", String(200), primary_key=True),
        Column("version", BigInteger, primary_key=True, autoincrement=False),
    )


class RisingLog:
    """One log in a table that begins with `log_columns()`; a table may hold many.

    Args:
        name: unique in the store: the plugin and its instance, "revocation:revocation".
        table: where the rows are.
    """

    def __init__(self, name: str, table: Table) -> None:
        self.name = name
        self.table = table
        self._shapes: dict[tuple[str, tuple[str, ...]], Rows] = {}

    def append_in(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> range:
        """Append within a writer's job, in the transaction of whatever else it does.

        Returns:
            The versions given, in the order of `rows`.
        """
        if not rows:
            return range(0)
        shape = self._shape(connection.dialect, tuple(rows[0]))
        if shape.one_trip is not None and (len(rows) == 1 or len(set(map(tuple, rows))) == 1):
            last = shape.one_trip.put(connection, self.name, rows)
            return range(last - len(rows) + 1, last + 1)
        last = _advance(connection, self.name, len(rows))
        versions = range(last - len(rows) + 1, last + 1)
        if len(rows) == 1:
            shape.put(connection, rows, [(self.name, last)])
            return versions
        numbers = iter(versions)
        for keys, run in groupby(rows, tuple):
            alike = tuple(run)
            self._shape(connection.dialect, keys).put(connection, alike, [(self.name, next(numbers)) for _ in alike])
        return versions

    def appending(self, row: Mapping[str, Any]) -> "Append":
        """A job for the writer that appends one row and gives its version; many of them are one statement."""
        return Append(self, row)

    def after(self, connection: Connection, version: int, limit: int = PAGE) -> Sequence[RowMapping]:
        """Up to `limit` rows above `version`, in order, none missing between them."""
        columns = self.table.c
        query = select(self.table).where(columns.log == self.name, columns.version > version)
        return connection.execute(query.order_by(columns.version).limit(limit)).mappings().all()

    def _shape(self, dialect: Dialect, keys: tuple[str, ...]) -> Rows:
        shape = self._shapes.get((dialect.name, keys))
        if shape is None:
            shape = self._shapes[dialect.name, keys] = Rows(self.table, ("log", "version"), keys, dialect)
        return shape

    def last(self, connection: Connection) -> int:
        """The highest version committed, 0 for an empty log. One row read."""
        found = connection.execute(select(counters.c.value).where(counters.c.name == self.name)).scalar()
        return 0 if found is None else int(found)


class Append:
    """One row for a rising log, as a job of the writer."""

    __slots__ = ("_row", "kind")

    def __init__(self, log: RisingLog, row: Mapping[str, Any]) -> None:
        self.kind = log  # appends to one log are one statement
        self._row = row

    def run_all(self, connection: Connection, jobs: "Sequence[Append]") -> range:
        """Append the rows of all jobs."""
        return self.kind.append_in(connection, [job._row for job in jobs])  # noqa: SLF001  its own kind

    def __call__(self, connection: Connection) -> int:
        """Append the row and give its version: a job like any other."""
        return self.kind.append_in(connection, (self._row,))[0]


def _advance(connection: Connection, name: str, count: int) -> int:
    """Take `count` versions, and give the last; the row stays locked until the transaction ends."""
    raw = driver_connection(connection)
    try:
        if connection.dialect.name == "sqlite":
            return _advance_on_sqlite(raw, name, count)
        return int(raw.execute(_ADVANCE, (name, count)).fetchone()[0])
    except Exception as error:
        raise translated(error, connection, _ADVANCE) from error


def _advance_on_sqlite(raw: sqlite3.Connection, name: str, count: int) -> int:
    found = raw.execute(_LOOK, (name,)).fetchone()
    last = count if found is None else int(found[0]) + count
    raw.execute(_BEGIN_AT if found is None else _MOVE_TO, (last, name))
    return last
