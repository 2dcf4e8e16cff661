"""Segments: the tables that records lie in, one after the other.

A segment is a table of its own, so that old records go by dropping it whole: nothing is ever deleted, and nobody needs
the right to. Records carry their position in the whole log, which is the key of the table. What people look for are
columns too, which the database itself takes from the record's JSON: there is nothing that could say something else.

    position | chain | sequence | hash | mark | record (canonical JSON) | id time actor session address action ...
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TextClause,
    func,
    select,
    text,
)
from sqlalchemy.schema import DropTable

from narthex_plugins.audit.tables import checkpoints, segments

COLUMNS: Final = (
    "id",
    "time",
    "actor",
    "session",
    "address",
    "action",
    "resource",
    "outcome",
    "request_id",
)
"""What of a record stands in columns too, to be looked for."""
FOUND_BY: Final = 512
"""Characters of a value that it is found by: PostgreSQL has no index of longer ones, and must not refuse a record."""
SUCCESS: Final = "success"
COMMON: Final = ("http.GET", "http.POST")
_SEARCHED: Final = ("actor", "resource")
"""What has an index of its own, each of which costs a record some microseconds. By session and address one looks where
time or actor have said roughly where."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment as its row tells of it.

    Attributes:
        number: from 1, in order.
        relation: names its table.
        first: position of its first record.
        frontier: of the Merkle tree over all records before it.
        opened: RFC 3339.
    """

    number: int
    relation: int
    first: int
    frontier: bytes
    opened: str

    @property
    def table(self) -> Table:
        """Its table, for queries. Cost: nothing after the first time."""
        return record_table(self.relation)


@lru_cache(maxsize=1024)
def record_table(relation: int) -> Table:
    """The table of a segment: `position` (key), `chain`, `sequence`, `hash`, `mark`, `record`, and `COLUMNS`.

    Newest first within a time: every index but that of `id` ends with `time` and `position`, so a page of whatever is
    looked for is read from one place.
    """
    name = f"audit_records_{relation}"
    found = Table(
        name,
        MetaData(),
        # On SQLite the key is the row's own number only where it is called INTEGER.
        Column("position", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
        Column("chain", String(32), nullable=False),
        Column("sequence", BigInteger, nullable=False),
        Column("hash", LargeBinary, nullable=False),
        Column("mark", LargeBinary, nullable=True, comment="of the last record of those that were put in together"),
        Column("record", Text, nullable=False),
        *(Column(one, Text) for one in COLUMNS),
    )
    Index(f"{name}_id", found.c.id)
    Index(f"{name}_chain", found.c.chain, found.c.sequence)
    _index(f"{name}_request", found.c.request_id, where=found.c.request_id.is_not(None))
    Index(f"{name}_time", found.c.time, found.c.position)
    for one in _SEARCHED:
        _index(f"{name}_{one}", found.c[one], found.c.time, found.c.position, where=found.c[one].is_not(None))
    _index(f"{name}_outcome", found.c.outcome, found.c.time, found.c.position, where=rare_outcome())
    _index(f"{name}_action", found.c.action, found.c.time, found.c.position, where=rare_action())
    return found


def rare_outcome() -> TextClause:
    """Nearly all went well: by that nobody finds anything. A query for another outcome says so too, in these words."""
    return text(f"outcome <> '{SUCCESS}'")


def rare_action() -> TextClause:
    """Nearly all are of these two."""
    return text(f"action NOT IN ({', '.join(map(repr, COMMON))})")


def _index(name: str, *columns: Column[Any], where: ColumnElement[bool] | TextClause) -> None:
    """An index of some of the rows."""
    Index(name, *columns, sqlite_where=where, postgresql_where=where)


def create(connection: Connection, relation: int) -> None:
    """Make a segment's table, and what refuses changes to it; within a writer's job."""
    table = record_table(relation)
    sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql(_table(table.name, sqlite=sqlite))
    for index in table.indexes:
        index.create(connection)
    for statement in _guards(table.name, sqlite=sqlite):
        connection.exec_driver_sql(statement)


def drop(connection: Connection, relation: int) -> None:
    """Drop a segment's table whole; within a writer's job."""
    connection.execute(DropTable(record_table(relation), if_exists=True))


def all_segments(connection: Connection, instance: str) -> Sequence[Segment]:
    """Every segment there ever was, the oldest first; the tables of the first of them may be gone."""
    found = select(
        segments.c.number, segments.c.relation, segments.c.first, segments.c.frontier, segments.c.opened
    ).where(segments.c.instance == instance)
    return [Segment(*row) for row in connection.execute(found.order_by(segments.c.number))]


def kept(connection: Connection, instance: str) -> Sequence[Segment]:
    """The segments whose tables are there, the oldest first: those that no signed checkpoint has let go."""
    last = select(checkpoints.c.document).where(checkpoints.c.instance == instance)
    document = connection.execute(last.order_by(checkpoints.c.number.desc()).limit(1)).scalar()
    first = 0 if document is None else int(json.loads(document)["first"])
    return [one for one in all_segments(connection, instance) if one.first >= first]


def end(connection: Connection, found: Sequence[Segment]) -> int:
    """Position of the next record. `found`: every segment, of which the last one takes it."""
    if not found:
        return 0
    last = connection.execute(select(func.max(found[-1].table.c.position))).scalar()
    return found[-1].first if last is None else int(last) + 1


def links(
    connection: Connection, found: Sequence[Segment], position: int, limit: int | None
) -> Iterator[tuple[int, str, bytes, bytes | None]]:
    """Positions, chains, links and marks from a position on, at most so many, or all."""
    there = [one for one, after in zip_longest(found, found[1:]) if after is None or after.first > position]
    for segment in there:
        table = segment.table
        query = select(table.c.position, table.c.chain, table.c.hash, table.c.mark).where(table.c.position >= position)
        for row in connection.execute(query.order_by(table.c.position).limit(limit)):
            yield row.position, row.chain, row.hash, row.mark
            if limit is not None:
                limit -= 1
        if limit == 0:
            return


def _table(name: str, *, sqlite: bool) -> str:
    """The statement that makes a table; what is looked for is taken from the record by the database itself."""
    if sqlite:
        # A record that somebody has damaged must not keep others from being found.
        fact = f"CASE WHEN json_valid(record) THEN substr(json_extract(record, '$.{{0}}'), 1, {FOUND_BY}) END"
        facts = [f"{one} TEXT GENERATED ALWAYS AS ({fact.format(one)}) VIRTUAL" for one in COLUMNS]
        position, number, raw = "INTEGER", "INTEGER", "BLOB"
    else:
        fact = f"left(CAST(record AS jsonb) ->> '{{0}}', {FOUND_BY})"
        facts = [f'{one} TEXT COLLATE "C" GENERATED ALWAYS AS ({fact.format(one)}) STORED' for one in COLUMNS]
        position, number, raw = "BIGINT", "BIGINT", "BYTEA"
    return (
        f"CREATE TABLE {name} (position {position} NOT NULL PRIMARY KEY, chain VARCHAR(32) NOT NULL,"
        f" sequence {number} NOT NULL, hash {raw} NOT NULL, mark {raw}, record TEXT NOT NULL, {', '.join(facts)})"
    )


def _guards(table: str, *, sqlite: bool) -> Sequence[str]:
    """Statements that make triggers: nothing is updated, deleted, or put anywhere but at the end."""
    if not sqlite:
        refuse = "EXECUTE FUNCTION narthex_audit_refuse()"
        return (
            f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT {refuse}",
        )
    refuse = "SELECT RAISE(ABORT, 'audit records are never changed')"
    # INSERT OR REPLACE takes rows away without asking a DELETE trigger, unless nothing can be in its way.
    late = f"NEW.position <= (SELECT max(position) FROM {table})"  # noqa: S608  no input
    return (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} BEGIN {refuse}; END",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} BEGIN {refuse}; END",
        f"CREATE TRIGGER {table}_at_the_end BEFORE INSERT ON {table} WHEN {late} BEGIN {refuse}; END",
    )
