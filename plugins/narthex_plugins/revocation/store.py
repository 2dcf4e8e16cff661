"""The log of revocations and the table of its readers, each thing that is done with them a job of the store.

Who goes by the log has a row among the readers, and sees in the same read as the log that the row stands. Nobody is
taken from the table because a clock says that they have been silent: whoever wants the row gone puts it in doubt first
and takes it away when every lease that began before has run out. A reader that lives has cleared itself by then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from narthex.link import Link
from narthex.store import RisingLog
from narthex_plugins.revocation.entries import SKEW, SLACK, Kind, Revocation
from narthex_plugins.revocation.lease import Reader
from narthex_plugins.revocation.tables import readers, revocations

Stamp = tuple[str, str, float] | None
"""What stands at a version: kind, name and time. Another one than before: the log is not the one that was read."""
PAGE: Final = 5000
"""Rows that one read takes at most."""
SWEEP: Final = 500
"""Rows that one sweep takes away."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one read has found.

    Attributes:
        standing: the reader's row is there, and nobody doubts it.
        last: the log's highest version, read before the rows.
        stamp: of the version that was known.
        last_stamp: of the last one.
        rows: in order of version; fewer than `PAGE` where there are no more.
    """

    standing: bool
    last: int
    stamp: Stamp
    last_stamp: Stamp
    rows: Sequence[Revocation]


class RevocationRows:
    """What one instance keeps.

    Args:
        instance: the plugin's.
        link: tells every process to look.
        longest: seconds a token or session lives at most.
    """

    def __init__(self, instance: str, link: Link, longest: float) -> None:
        self.log = RisingLog(f"revocation:{instance}", revocations)
        self._instance = instance
        self._link = link
        self._longest = longest
        self._ours = readers.c.instance == instance

    def append(self, connection: Connection, facts: Sequence[Revocation]) -> int:
        """Put them at the log's end, and have everybody told; the last version."""
        rows = [
            {
                "kind": one.kind,
                "name": one.name,
                "issuer": one.issuer,
                "cut": one.cut,
                "expires": one.expires,
                "at": one.at,
                "by": one.by,
                "reason": one.reason,
            }
            for one in facts
        ]
        versions = self.log.append_in(connection, rows)
        self._link.announce(connection, self.log.name)
        return versions[-1]

    def see(self, connection: Connection, reader: str, version: int, now: float | None) -> Seen:
        """What is new to a reader.

        Args:
            connection: of a reading transaction.
            reader: its id.
            version: up to which it knows.
            now: leave out what covers nothing at this time; None for nothing left out.
        """
        doubt = connection.execute(select(readers.c.doubt).where(self._ours, readers.c.id == reader)).scalar()
        last = self.log.last(connection)
        rows = revocations.c
        query = select(revocations).where(rows.log == self.log.name, rows.version > version)
        if now is not None:
            query = query.where(self._needed(now))
        found = connection.execute(query.order_by(rows.version).limit(PAGE)).mappings()
        stamps = self._stamps(connection, version, last)
        return Seen(doubt == "", last, stamps.get(version), stamps.get(last), [_revocation(row) for row in found])

    def _stamps(self, connection: Connection, *versions: int) -> dict[int, Stamp]:
        rows = revocations.c
        query = select(rows.version, rows.kind, rows.name, rows.at)
        found = connection.execute(query.where(rows.log == self.log.name, rows.version.in_(set(versions))))
        return {version: (kind, name, at) for version, kind, name, at in found}

    def history(self, connection: Connection, before: int, limit: int) -> Sequence[Revocation]:
        """The latest below a version, the latest first."""
        rows = revocations.c
        query = select(revocations).where(rows.log == self.log.name, rows.version < before)
        return [
            _revocation(row) for row in connection.execute(query.order_by(rows.version.desc()).limit(limit)).mappings()
        ]

    def sweep(self, connection: Connection, now: float, history: float) -> int:
        """Take away what is needed no more and old enough, `SWEEP` rows at most; how many there were.

        The last one stays: by it readers see that the log is the one they know.
        """
        rows = revocations.c
        known = rows.version < self.log.last(connection)
        old = (rows.log == self.log.name) & known & (rows.at <= now - history) & ~self._needed(now)
        page = select(rows.version).where(old).limit(SWEEP)
        done = delete(revocations).where(rows.log == self.log.name, rows.version.in_(page))
        return connection.execute(done).rowcount

    # -- readers

    def stand(self, connection: Connection, reader: Reader) -> None:
        """Be among the readers, in nobody's doubt."""
        row = {
            "instance": self._instance,
            "id": reader.id,
            "seen": reader.seen,
            "page": reader.page,
            "lease": reader.lease,
            "doubt": "",
        }
        insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(readers).values(row)
        connection.execute(insert.on_conflict_do_update(index_elements=["instance", "id"], set_=row))

    def acknowledge(self, connection: Connection, reader: str, version: int) -> None:
        """Say that a reader knows everything up to a version."""
        behind = (readers.c.id == reader) & (readers.c.seen < version)
        connection.execute(update(readers).where(self._ours, behind).values(seen=version))

    def leave(self, connection: Connection, reader: str) -> None:
        """Be a reader no more."""
        connection.execute(delete(readers).where(self._ours, readers.c.id == reader))

    def all(self, connection: Connection) -> Sequence[Reader]:
        """Every reader, dead ones too."""
        found = connection.execute(select(readers).where(self._ours).order_by(readers.c.id)).mappings()
        return [Reader(row["id"], row["seen"], row["page"], row["lease"]) for row in found]

    def doubt(self, connection: Connection, doubter: str) -> float:
        """Put every reader but one in its doubt; the longest lease of them, 0 where there are none."""
        others = self._ours & (readers.c.id != doubter)
        connection.execute(update(readers).where(others).values(doubt=doubter))
        return float(connection.execute(select(func.max(readers.c.lease)).where(others)).scalar() or 0.0)

    def bury(self, connection: Connection, doubter: str) -> int:
        """Take away whoever is still in the doubt of one; how many."""
        return connection.execute(delete(readers).where(self._ours, readers.c.doubt == doubter)).rowcount

    def _needed(self, now: float) -> ColumnElement[bool]:
        rows = revocations.c
        since = now - SKEW - SLACK
        return or_(
            rows.kind == "issuer",
            and_(rows.kind == "token", rows.expires > since),
            and_(rows.kind != "token", func.coalesce(rows.cut, rows.at) > since - self._longest),
        )


def stamp(one: Revocation) -> Stamp:
    """What stands at its version."""
    return one.kind, one.name, one.at


def _revocation(row: RowMapping) -> Revocation:
    return Revocation(
        version=row["version"],
        kind=cast("Kind", row["kind"]),
        name=row["name"],
        issuer=row["issuer"],
        cut=row["cut"],
        expires=row["expires"],
        at=row["at"],
        by=row["by"],
        reason=row["reason"],
    )
