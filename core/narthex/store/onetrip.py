"""Versions and rows of a rising log in one statement, for PostgreSQL.

There a record costs round trips before anything else: the counter, COPY and its end are three, and each waits for two
processes to be scheduled. Rows as arrays, one for each column, need one. The commonest arrays are written here:
psycopg takes 1.7 µs for each of their values, this 0.2.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Dialect,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Unicode,
    UnicodeText,
)

from narthex.store.engines import driver_connection, translated
from narthex.store.schema import counters

# Arrays as wide as a type can be: what does not fit the column is then refused on its way in, and not cut off, as a
# cast to varchar(40) would do. A type that is not here, an array's above all, goes by COPY.
_ARRAYS: Final[Mapping[type, str]] = {
    **dict.fromkeys((Boolean,), "boolean[]"),
    **dict.fromkeys((SmallInteger, Integer, BigInteger), "bigint[]"),
    **dict.fromkeys((Float,), "double precision[]"),
    **dict.fromkeys((Numeric,), "numeric[]"),
    **dict.fromkeys((String, Text, Unicode, UnicodeText), "text[]"),
    **dict.fromkeys((LargeBinary,), "bytea[]"),
    **dict.fromkeys((Date,), "date[]"),
    **dict.fromkeys((JSON,), "json[]"),
}


_Text = Callable[[Any], str]


def _quoted(value: object) -> str:
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# What is written into which array, by the values' very types; anything else is psycopg's to write.
_NUMBERS: Final[Mapping[type, _Text]] = {int: str}
_WRITTEN: Final[Mapping[str, Mapping[type, _Text]]] = {
    "text[]": {str: _quoted},
    "json[]": {str: _quoted},
    "bigint[]": _NUMBERS,
    "double precision[]": {float: repr, **_NUMBERS},
    "boolean[]": {bool: str},
}


def written(values: Sequence[object], array: str) -> object:
    """An array in the server's own words, for a parameter; the values themselves where one needs psycopg.

    Args:
        values: of one column.
        array: its type, as `array_of` gave it.

    Source: PostgreSQL's manual, 8.15.6, "Array Input and Output Syntax".
    """
    texts, known = list[str](), _WRITTEN.get(array)
    if known is None:
        return values
    for value in values:
        if value is None:
            texts.append("NULL")
        elif (text := known.get(type(value))) is not None:
            texts.append(text(value))
        else:
            return values
    return f"{{{','.join(texts)}}}"


def array_of(column: Column[Any]) -> str | None:
    """The array that carries the column's values; None where there is none for sure: a subclass may be anything."""
    if type(column.type) is DateTime:
        return "timestamptz[]" if column.type.timezone else "timestamp[]"
    return _ARRAYS.get(type(column.type))


class OneTrip:
    """Puts rows with the same keys into a log.

    Args:
        table: begins with `log_columns()`.
        keys: of every row, at least one.
        arrays: as `array_of` gave them.
        processors: SQLAlchemy's, of each key's type; None where a value goes as it is.
    """

    def __init__(
        self, table: Table, keys: Sequence[str], arrays: Sequence[str], processors: Sequence[Any], dialect: Dialect
    ) -> None:
        quoting = dialect.identifier_preparer
        self._keys = tuple(zip(keys, arrays, processors, strict=True))
        target = quoting.format_table(table)
        names = ", ".join(quoting.format_column(table.c[key]) for key in ("log", "version", *keys))
        values = ", ".join(f"given.c{number}" for number in range(len(keys)))
        given = ", ".join(f"%s::{array}" for array in arrays)
        aliases = ", ".join(f"c{number}" for number in range(len(keys)))
        counter = counters.name
        self._statement = (
            f"WITH taken AS (INSERT INTO {counter} (name, value) VALUES (%s, %s) ON CONFLICT (name)"  # noqa: S608  ours
            f" DO UPDATE SET value = {counter}.value + excluded.value RETURNING value),"
            f" put AS (INSERT INTO {target} ({names}) SELECT %s, taken.value - %s + given.place, {values}"
            f" FROM taken, unnest({given}) WITH ORDINALITY AS given({aliases}, place))"
            " SELECT value FROM taken"
        )

    def put(self, connection: Connection, log: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Append the rows, and give the last one's version.

        Raises:
            DBAPIError: what the server makes of it.
        """
        count = len(rows)
        columns = [
            written([row[key] for row in rows] if process is None else [process(row[key]) for row in rows], array)
            for key, array, process in self._keys
        ]
        try:
            cursor = driver_connection(connection).execute(self._statement, (log, count, log, count, *columns))
            return int(cursor.fetchone()[0])
        except Exception as error:
            raise translated(error, connection, self._statement) from error
