"""What is kept of events, each thing that is done with it a job of the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from narthex.link import Link
from narthex.store import RisingLog
from narthex_plugins.events.event import Id, Published
from narthex_plugins.events.tables import kept, passing, told

PAGE: Final = 500
"""Events that one read takes at most."""
SWEEP: Final = 500
"""Rows that one sweep takes away."""
PASSING: Final = 60.0
"""Seconds for which transient events lie in the store, for the other processes to see."""
REMEMBERED: Final = 86_400.0
"""Seconds for which it is remembered that a fact was told; processes tell of one within moments."""


class Put:
    """One event for a log, as a job of the writer; many of them are one statement."""

    __slots__ = ("_row", "kind")

    def __init__(self, shelf: "_Shelf", row: dict[str, Any]) -> None:
        self.kind = shelf
        self._row = row

    def run_all(self, connection: Connection, jobs: "Sequence[Put]") -> range:
        """Append the rows of all jobs; their versions."""
        return self.kind.append(connection, [job._row for job in jobs])  # noqa: SLF001  its own kind

    def __call__(self, connection: Connection) -> int:
        """Append the row and give its version."""
        return self.kind.append(connection, (self._row,))[0]


class _Shelf:
    """A rising log whose readers are told of each append."""

    def __init__(self, log: RisingLog, link: Link) -> None:
        self.log = log
        self._link = link

    def append(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> range:
        versions = self.log.append_in(connection, rows)
        self._link.announce(connection, self.log.name)
        return versions


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look has found.

    Attributes:
        last: the highest version, read before the rows.
        events: in order of version; fewer than `PAGE` where there are no more.
    """

    last: int
    events: Sequence[Published]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the log that somebody knows, and what the log says to it.

    Attributes:
        last: the log's highest version, with its mark.
        first: the lowest version that is still there; 0 where there is none.
        mark: of the event at the place, or None where it is not there.
    """

    last: Id
    first: int
    mark: str | None


class EventRows:
    """What one instance keeps.

    Args:
        instance: the plugin's.
        link: tells every process to look.
    """

    def __init__(self, instance: str, link: Link) -> None:
        self._instance = instance
        self.kept = RisingLog(f"events:{instance}", kept)
        self.passing = RisingLog(f"events:{instance}:passing", passing)
        self._durable = _Shelf(self.kept, link)
        self._transient = _Shelf(self.passing, link)

    def keeping(self, event: Published) -> Put:
        """A job that keeps an event, and gives its version."""
        row = {"mark": event.mark, "at": event.at, "topic": event.topic, "body": event.body}
        return Put(self._durable, row)

    def handing_on(self, event: Published, origin: str) -> Put:
        """A job that shows a transient event to the other processes."""
        row = {"origin": origin, "at": event.at, "topic": event.topic, "body": event.body}
        return Put(self._transient, row)

    def keep_once(self, connection: Connection, event: Published, fact: str) -> None:
        """Keep an event of the house that every process tells of, unless one has already."""
        insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(told)
        row = {"instance": self._instance, "fact": fact, "at": event.at}
        # Not by `rowcount`: of an INSERT psycopg's cursor has forgotten it by then.
        taken = connection.execute(insert.values(row).on_conflict_do_nothing().returning(told.c.fact)).first()
        if taken is not None:
            self.keeping(event)(connection)

    def see(self, connection: Connection, version: int) -> Seen:
        """Kept events above a version."""
        last = self.kept.last(connection)
        return Seen(last, [_kept(row) for row in self.kept.after(connection, version, PAGE)])

    def see_passing(self, connection: Connection, version: int, origin: str) -> tuple[int, int, Sequence[Published]]:
        """Transient events of other processes above a version.

        Returns:
            The log's highest version, the last one read, and the events.
        """
        last = self.passing.last(connection)
        rows = self.passing.after(connection, version, PAGE)
        read = rows[-1]["version"] if rows else last
        return last, read, [Published(row["topic"], row["body"], row["at"]) for row in rows if row["origin"] != origin]

    def place(self, connection: Connection, version: int) -> Place:
        """What the log says to a version that a client has seen."""
        rows = kept.c
        ours = rows.log == self.kept.name
        last = self.kept.last(connection)
        marks: dict[int, str] = {
            row.version: row.mark
            for row in connection.execute(
                select(rows.version, rows.mark).where(ours, rows.version.in_({version, last}))
            )
        }
        first = connection.execute(select(func.min(rows.version)).where(ours)).scalar() or 0
        return Place((last, marks.get(last, "0")), first, marks.get(version))

    def last_passing(self, connection: Connection) -> int:
        """The highest version of the transient events."""
        return self.passing.last(connection)

    def sweep(self, connection: Connection, now: float, retention: float) -> int:
        """Take away what is old, from the front of the log, and leave its last event; how many rows were taken."""
        rows = kept.c
        ours = rows.log == self.kept.name
        # Only from the front, whatever the clock has done: what is missing is below all that is there.
        young = select(func.min(rows.version)).where(ours, rows.at > now - retention).scalar_subquery()
        end = func.coalesce(young, self.kept.last(connection))
        page = select(rows.version).where(ours, rows.version < end).order_by(rows.version).limit(SWEEP)
        count = connection.execute(delete(kept).where(ours, rows.version.in_(page))).rowcount
        before = now - PASSING
        gone = (passing.c.log == self.passing.name) & (passing.c.at <= before)
        some = select(passing.c.version).where(gone).limit(SWEEP)
        swept = connection.execute(
            delete(passing).where(passing.c.log == self.passing.name, passing.c.version.in_(some))
        ).rowcount
        connection.execute(delete(told).where(told.c.instance == self._instance, told.c.at <= now - REMEMBERED))
        return max(count, swept)


def _kept(row: RowMapping) -> Published:
    return Published(row["topic"], row["body"], row["at"], row["version"], row["mark"])
