"""Looking into the log: a page of what fits, newest first, or all of it, oldest first, with bounded memory.

Records lie in segments, one table each. A page is read from the last segment backwards; within a segment by time, for
which there is an index behind every column that is looked for. A cursor says where a page ended, so that records which
are added meanwhile move nothing.
"""

import base64
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, TextClause, and_, or_, select

from narthex.storage import Store
from narthex_plugins.audit.pseudonyms import KINDS, Pseudonyms
from narthex_plugins.audit.record import timestamp
from narthex_plugins.audit.segments import COMMON, FOUND_BY, SUCCESS, Segment, kept, rare_action, rare_outcome

PAGE: Final = 1000
"""Records that one read takes at most."""
_CURSOR: Final = re.compile(r"(\d{1,9})/([0-9TZ:.-]{1,32})/(\d{1,18})")


class Unreadable(ValueError):
    """A query that makes no sense; the message says what of it."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; all of it has to fit.

    Attributes:
        actor, action, outcome, session, address, request_id: as records have it.
        resource: the same, or its beginning with a `*` behind it.
        since: seconds since the epoch, or None.
        until: the same; that very moment is outside.
    """

    actor: str | None = None
    action: str | None = None
    outcome: str | None = None
    resource: str | None = None
    session: str | None = None
    address: str | None = None
    request_id: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A record as it lies in the log.

    Attributes:
        record: its canonical JSON.
        hash: of its link, 32 bytes.
        names: what pseudonyms stand for.
    """

    position: int
    chain: str
    sequence: int
    hash: bytes
    record: str
    names: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def facts(self) -> dict[str, Any]:
        """What the record says; with names in the place of the pseudonyms that are known."""
        found: dict[str, Any] = json.loads(self.record)
        for kind in KINDS if self.names else ():
            found[kind] = self.names.get(found[kind], found[kind])
        return found


@dataclass(frozen=True, slots=True)
class Found:
    """A page, newest first.

    Attributes:
        rows: its records.
        following: cursor of the next page; None where this is the last.
    """

    rows: Sequence[Row]
    following: str | None


class Reader:
    """Reads the log of one instance.

    Attributes:
        store: where it is.
        instance: the plugin's.
        pseudonyms: of the log, None where it has none.
    """

    def __init__(self, store: Store, instance: str, pseudonyms: Pseudonyms | None = None) -> None:
        self.store = store
        self.instance = instance
        self.pseudonyms = pseudonyms

    async def page(self, query: Query, limit: int, cursor: str = "") -> Found:
        """What fits, newest first. Cost: one read of so many rows from an index, where a single column is asked for.

        Args:
            query: what is looked for.
            limit: records at most.
            cursor: of the page, as the one before gave it; "" for the first.

        Raises:
            Unreadable: the cursor is none.
            DependencyError: the store does not answer.
        """
        begin = _read_cursor(cursor) if cursor else None
        return await self.store.read(lambda connection: self._page(connection, query, limit, begin))

    async def all(self, query: Query) -> AsyncIterator[Sequence[Row]]:
        """Everything that fits, oldest first, in pages; what is added meanwhile is left out.

        Raises:
            DependencyError: the store does not answer.
        """
        end = await self.store.read(self._last)
        position = -1
        while position < end:
            rows = await self.store.read(partial(self._after, query=query, after=position, end=end))
            if not rows:
                return
            yield rows
            position = rows[-1].position

    def _page(self, connection: Connection, query: Query, limit: int, begin: tuple[int, str, int] | None) -> Found:
        rows: list[Row] = []
        pseudonyms = self.pseudonyms
        for segment in reversed(kept(connection, self.instance)):
            if begin is not None and segment.number > begin[0]:
                continue
            table = segment.table
            wanted = select(*_columns(table)).where(*self._conditions(connection, table, query))
            if begin is not None and segment.number == begin[0]:
                wanted = wanted.where(_before(table, begin[1], begin[2]))
            order = wanted.order_by(table.c.time.desc(), table.c.position.desc())
            rows += [_row(found) for found in connection.execute(order.limit(limit - len(rows))).mappings()]
            if len(rows) == limit:
                last = rows[-1]
                cursor = _cursor(segment.number, last.facts["time"], last.position)
                return Found(_named(connection, pseudonyms, rows), cursor)
        return Found(_named(connection, pseudonyms, rows), None)

    def _conditions(
        self, connection: Connection, table: Table, query: Query
    ) -> Sequence[ColumnElement[bool] | TextClause]:
        """What has to hold; a name may stand as pseudonyms too."""
        found = list(_conditions(table, query))
        for kind in KINDS:
            value = getattr(query, kind)
            if value is not None:
                also = () if self.pseudonyms is None else self.pseudonyms.find(connection, kind, value)
                column = table.c[kind]
                found += [column.in_([value, *also]) if also else column == value, column.is_not(None)]
        return found

    def _after(self, connection: Connection, query: Query, after: int, end: int) -> Sequence[Row]:
        rows: list[Row] = []
        segments = kept(connection, self.instance)
        for segment, following in zip(segments, (*segments[1:], None), strict=True):
            if following is not None and following.first <= after + 1:
                continue
            table = segment.table
            between = (table.c.position > after, table.c.position <= end)
            wanted = select(*_columns(table)).where(*between, *self._conditions(connection, table, query))
            ordered = wanted.order_by(table.c.position).limit(PAGE - len(rows))
            rows += [_row(found) for found in connection.execute(ordered).mappings()]
            if len(rows) == PAGE:
                break
        return rows

    def _last(self, connection: Connection) -> int:
        segments = kept(connection, self.instance)
        if not segments:
            return -1
        table = segments[-1].table
        last = connection.execute(select(table.c.position).order_by(table.c.position.desc()).limit(1)).scalar()
        return segments[-1].first - 1 if last is None else int(last)


def between(connection: Connection, segment: Segment, first: int, until: int) -> Sequence[Row]:
    """The records of a segment from a position up to another."""
    table = segment.table
    wanted = select(*_columns(table)).where(table.c.position >= first, table.c.position < until)
    return [_row(found) for found in connection.execute(wanted.order_by(table.c.position)).mappings()]


def query_of(given: Mapping[str, str | None], moment: Mapping[str, float | None]) -> Query:
    """The query of texts.

    Args:
        given: by the names of `Query`; an empty text is none.
        moment: `since` and `until`.
    """
    return Query(**{name: value or None for name, value in given.items()}, **moment)  # type: ignore[arg-type]


def _named(connection: Connection, pseudonyms: Pseudonyms | None, rows: Sequence[Row]) -> Sequence[Row]:
    """The rows with what their pseudonyms stand for."""
    if pseudonyms is None:
        return rows
    given = [(row, [row.facts[kind] for kind in KINDS]) for row in rows]
    names = pseudonyms.names(connection, {one for _, values in given for one in values if one is not None})
    return [replace(row, names={one: names[one] for one in values if one in names}) for row, values in given]


def _columns(table: Table) -> Sequence[ColumnElement[Any]]:
    return [table.c[name] for name in ("position", "chain", "sequence", "hash", "record")]


def _row(found: RowMapping) -> Row:
    return Row(found["position"], found["chain"], found["sequence"], bytes(found["hash"]), found["record"])


def _conditions(table: Table, query: Query) -> Sequence[ColumnElement[bool] | TextClause]:
    found: list[ColumnElement[bool] | TextClause] = []
    for name in ("action", "outcome"):
        value = getattr(query, name)
        if value is not None:
            found.append(table.c[name] == value)
    # What is said twice is for whoever chooses the index: it has no other rows.
    if query.request_id is not None:
        found += [table.c.request_id == query.request_id, table.c.request_id.is_not(None)]
    if query.outcome not in (None, SUCCESS):
        found.append(rare_outcome())
    if query.action is not None and query.action not in COMMON:
        found.append(rare_action())
    if query.resource is not None:
        found += [_resource(table, query.resource), table.c.resource.is_not(None)]
    if query.since is not None:
        found.append(table.c.time >= timestamp(query.since))
    if query.until is not None:
        found.append(table.c.time < timestamp(query.until))
    return found


def _resource(table: Table, wanted: str) -> ColumnElement[bool]:
    if not wanted.endswith("*"):
        return table.c.resource == wanted[:FOUND_BY]
    escaped = wanted[:-1][:FOUND_BY].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return table.c.resource.like(f"{escaped}%", escape="\\")


def _before(table: Table, time: str, position: int) -> ColumnElement[bool]:
    """What comes after a place, where the newest comes first."""
    return and_(table.c.time <= time, or_(table.c.time < time, table.c.position < position))


def _cursor(segment: int, time: str, position: int) -> str:
    return base64.urlsafe_b64encode(f"{segment}/{time}/{position}".encode()).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[int, str, int]:
    try:
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        plain = ""
    found = _CURSOR.fullmatch(plain)
    if found is None:
        raise Unreadable("cursor: this is none; take `next` of the page before")
    return int(found[1]), found[2], int(found[3])
