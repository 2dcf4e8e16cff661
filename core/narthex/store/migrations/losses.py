"""What would be gone after a downgrade: rows and values are counted before and after, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Column, Connection, column, func, inspect, select, table

_OURS: Final = ("narthex_version_", "narthex_revisions", "narthex_members")
"""What says nothing that could be missed: the migrations' own books, and processes that beat again."""

Census = Mapping[str, tuple[int, Mapping[str, int]]]
"""Table name to its number of rows, and column name to its number of values that are not null."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that had data and has less.

    Attributes:
        what: a table, or "table.column".
        count: rows, or values, that are gone.
        unit: "rows" or "values".
    """

    what: str
    count: int
    unit: str

    def __str__(self) -> str:
        return f"{self.count} {self.unit[:-1] if self.count == 1 else self.unit} of {self.what}"


def census(connection: Connection) -> Census:
    """Count everything. One scan of every table."""
    found: dict[str, tuple[int, Mapping[str, int]]] = {}
    look = inspect(connection)
    for name in look.get_table_names():
        if not name.startswith(_OURS):
            columns: list[Column[object]] = [column(one["name"]) for one in look.get_columns(name)]  # type: ignore[misc]
            counts = [func.count(), *(func.count(one) for one in columns)]
            rows, *values = connection.execute(select(*counts).select_from(table(name, *columns))).one()
            found[name] = (rows, {one.name: value for one, value in zip(columns, values, strict=True)})
    return found


def losses(before: Census, after: Census) -> tuple[Loss, ...]:
    """What there was and is no more. A new name for a table or column counts as a loss of the old one."""
    found: list[Loss] = []
    for name, (rows, values) in before.items():
        rows_left, values_left = after.get(name, (0, {}))
        if rows_left < rows:
            found.append(Loss(name, rows - rows_left, "rows"))
        elif rows:
            gone = {one: value - values_left.get(one, 0) for one, value in values.items()}
            found += [Loss(f"{name}.{one}", count, "values") for one, count in gone.items() if count > 0]
    return tuple(found)
