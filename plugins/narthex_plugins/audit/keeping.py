"""From notes to records on disk: batches of the queue's thread, and in strict mode what a request waits for.

Some facts are published by every process of the deployment (`Event.told_by`). Who is first to write one down takes its
key in the same transaction; the others find it taken and leave it at that. So it is in the log once.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from narthex.clock import Clock
from narthex.storage import Store
from narthex_plugins.audit.building import Builder
from narthex_plugins.audit.record import Record
from narthex_plugins.audit.recording import Heard, Note
from narthex_plugins.audit.segments import kept
from narthex_plugins.audit.tables import heard
from narthex_plugins.audit.trail import Trail

REMEMBERED: Final = 7 * 86_400.0
"""Seconds for which the key of a fact is remembered; processes tell of one within moments."""


class Keeping:
    """Has notes written.

    Args:
        trail: where to.
        builder: makes records of them.
        store: whose writer does it.
        clock: tells when a fact was heard.
        wrote: told how many records were written, and how.
    """

    def __init__(
        self, trail: Trail, builder: Builder, store: Store, clock: Clock, wrote: Callable[[int, str], None]
    ) -> None:
        self._trail = trail
        self._builder = builder
        self._store = store
        self._clock = clock
        self._wrote = wrote

    async def strictly(self, notes: Sequence[Note]) -> None:
        """Have notes on disk when this returns; many requests' are one commit.

        Raises:
            DependencyError: the store does not take them.
        """
        await self._trail.keep([self._builder.record(note) for note in notes])
        self._wrote(len(notes), "strict")

    def keep(self, notes: Sequence[Note], *, again: bool) -> None:
        """As `queueing.Keeper` has it."""
        records = [self._builder.record(note) for note in notes]
        facts = {at: key for at, note in enumerate(notes) if (key := _key(note))}
        if not again and not facts:
            self._trail.keep_blocking(records)
        else:
            self._store.write_blocking(lambda connection: self._put_new(connection, records, facts, again=again))
        self._wrote(len(records), "batched")

    def _put_new(
        self, connection: Connection, records: Sequence[Record], facts: dict[int, str], *, again: bool
    ) -> None:
        """Put what is not there yet; in the writer's thread."""
        there = self._there(connection, [one.id for one in records]) if again else frozenset[str]()
        known = {at for at, key in facts.items() if not self._take(connection, key)}
        new = [one for at, one in enumerate(records) if at not in known and one.id not in there]
        if new:
            self._trail.job(new)(connection)

    def _there(self, connection: Connection, ids: Sequence[str]) -> frozenset[str]:
        """Which of the records a try before this one has written after all."""
        found = set[str]()
        for segment in kept(connection, self._trail.instance)[-2:]:
            table = segment.table
            found.update(connection.execute(select(table.c.id).where(table.c.id.in_(ids))).scalars())
        return frozenset(found)

    def _take(self, connection: Connection, key: str) -> bool:
        """Take a fact's key; False where somebody has it."""
        insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(heard)
        row = {"instance": self._trail.instance, "key": key, "at": self._clock.now()}
        # Not by `rowcount`, which psycopg does not know of every insertion.
        taken = insert.values(row).on_conflict_do_nothing().returning(heard.c.key)
        return connection.execute(taken).scalar() is not None

    def forget(self, connection: Connection) -> Any:
        """Take away the keys of facts that nobody will tell of any more; a job of the writer."""
        old = heard.c.at < self._clock.now() - REMEMBERED
        connection.execute(delete(heard).where(heard.c.instance == self._trail.instance, old))


def _key(note: Note) -> str:
    """By which a fact that others tell of too is known; "" where nobody else does."""
    if not isinstance(note, Heard) or not note.event.told_by:
        return ""
    event = note.event
    return ":".join(
        (event.topic.partition(".")[0], type(event).__name__, *(str(getattr(event, one)) for one in event.told_by))
    )[:300]
