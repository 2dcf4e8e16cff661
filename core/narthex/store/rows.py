"""Many rows into one table, by the quickest way the driver has.

SQLAlchemy makes each row's parameters in Python, at 3 to 30 µs a row. Rows of one shape need no more than a tuple each:
`executemany` on SQLite, COPY on PostgreSQL, which costs a fifth of a prepared INSERT per row. Types convert values as
SQLAlchemy has them do. What needs more (defaults made in Python, types that wrap SQL) goes SQLAlchemy's own way.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import add, itemgetter
from typing import Any, Final

from sqlalchemy import Column, Connection, Dialect, Table, bindparam, insert

from narthex.store.engines import driver_connection, translated
from narthex.store.onetrip import OneTrip, array_of

Row = Mapping[str, Any]
Values = tuple[Any, ...]

_COPY_FROM: Final = 4
"""Rows from which on COPY, two round trips, is quicker than INSERT."""


class Rows:
    """How rows with the same keys are put into a table on one dialect.

    Args:
        table: where to.
        leading: columns whose values are given apart from the row.
        keys: of every row, columns too.
    """

    def __init__(self, table: Table, leading: Sequence[str], keys: Sequence[str], dialect: Dialect) -> None:
        self._insert = insert(table)
        self._sqlite = dialect.name == "sqlite"
        self._leading = tuple(leading)
        self._values = _getter(keys)
        columns = [table.c[key] for key in (*leading, *keys)]
        self._processors = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns]
        self._processing = any(self._processors)
        self._slow = _needs_sqlalchemy(table, columns, dialect)
        arrays = [array_of(table.c[key]) for key in keys]
        known = [array for array in arrays if array is not None]
        processors = self._processors[len(leading) :]
        of_a_log = tuple(leading) == ("log", "version")  # where the version is taken on the same trip
        quick = of_a_log and not (self._sqlite or self._slow) and len(known) == len(keys) > 0
        self.one_trip = OneTrip(table, keys, known, processors, dialect) if quick else None
        quoting = dialect.identifier_preparer
        target, names = quoting.format_table(table), ", ".join(map(quoting.format_column, columns))
        marks = ", ".join("?" * len(columns))
        self._one = f"INSERT INTO {target} ({names}) VALUES ({marks})"  # noqa: S608  names of our own tables
        # The names are quoted for a statement with parameters, where "%" stands twice; COPY has none.
        self._copy = f"COPY {target} ({names}) FROM STDIN".replace("%%", "%")

    def put(self, connection: Connection, rows: Sequence[Row], leading: Sequence[Values]) -> None:
        """Insert `rows`, each behind its leading values.

        Raises:
            SQLAlchemyError: what the database makes of it, whichever way was taken.
        """
        if self._slow or (not self._sqlite and len(rows) < _COPY_FROM):
            pairs = zip(leading, rows, strict=True)
            whole = [{**row, **dict(zip(self._leading, first, strict=True))} for first, row in pairs]
            connection.execute(self._insert, whole)
            return
        values = list(map(add, leading, map(self._values, rows)))
        if self._processing:
            values = [self._processed(one) for one in values]
        raw = driver_connection(connection)
        statement = self._one if self._sqlite else self._copy
        try:
            if not self._sqlite:
                _copy_in(raw, statement, values)
            elif len(values) == 1:
                raw.execute(statement, values[0])
            else:
                raw.executemany(statement, values)
        except Exception as error:
            raise translated(error, connection, statement) from error

    def _processed(self, values: Values) -> Values:
        pairs = zip(self._processors, values, strict=True)
        return tuple(value if process is None else process(value) for process, value in pairs)


def _copy_in(raw: Any, statement: str, values: Sequence[Values]) -> None:
    with raw.cursor() as cursor, cursor.copy(statement) as copy:
        for one in values:
            copy.write_row(one)


def _getter(keys: Sequence[str]) -> Callable[[Row], Values]:
    match keys:
        case []:
            return lambda _row: ()
        case [key]:
            return lambda row: (row[key],)
        case _:
            return itemgetter(*keys)


def _needs_sqlalchemy(table: Table, columns: Sequence[Column[Any]], dialect: Dialect) -> bool:
    """Whether Python adds to what is given, or a type wraps its value in SQL."""
    added = [column for column in table.columns if column.default is not None and column not in columns]
    types = [column.type.dialect_impl(dialect) for column in columns]
    return bool(added) or any(type_.bind_expression(bindparam("value")) is not None for type_ in types)
