"""Intents that wait for their outcome, in bounded memory: those of the last moments, and the others on the disk.

There are as many as requests are under way, and one for each that was never answered. A log in which they are a
million is one that somebody asks about.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

HELD: Final = 50_000
"""Intents in memory; older ones go into a table that SQLite keeps on the disk, and takes away at the end."""
SHOWN: Final = 1000


@dataclass(frozen=True, slots=True)
class Intent:
    """Something that was to be done.

    Attributes:
        position: of its record.
        record: the record's id.
        time: RFC 3339.
        request_id: by which its outcome is known.
        action: the same for both.
    """

    position: int
    record: str
    time: str
    request_id: str
    action: str


class Pending:
    """Intents by their request; what came of one takes it away."""

    def __init__(self, held: int = HELD) -> None:
        self._held = held
        self._open: dict[str, Intent] = {}
        self._disk: sqlite3.Connection | None = None
        self._on_disk = 0

    def __len__(self) -> int:
        return len(self._open) + self._on_disk

    def add(self, intent: Intent) -> None:
        """Something is to be done. Another one of the same request goes on waiting."""
        if intent.request_id in self._open:
            self._put([self._open.pop(intent.request_id)])
        self._open[intent.request_id] = intent
        if len(self._open) > self._held:
            oldest = list(self._open)[: self._held // 2]
            self._put([self._open.pop(one) for one in oldest])

    def answers(self, request_id: str | None, action: str, *, whole: bool) -> None:
        """Something came of it.

        Args:
            request_id: of the record.
            action: of the record; that of the intent, unless the record is `whole`.
            whole: it is of the request itself, whatever its action is called: a login is one record with that name.
        """
        name = request_id or ""
        intent = self._open.get(name)
        if intent is not None and (whole or intent.action == action):
            del self._open[name]
        elif self._on_disk and self._disk is not None:
            one = "SELECT position FROM intents WHERE request = ? AND (? OR action = ?) ORDER BY position LIMIT 1"
            gone = self._disk.execute(f"DELETE FROM intents WHERE position = ({one})", (name, whole, action))  # noqa: S608  no input
            self._on_disk -= gone.rowcount

    def first(self, limit: int = SHOWN) -> Sequence[Intent]:
        """The first of those that wait."""
        found = list(self._open.values())
        if self._disk is not None:
            with closing(self._disk.execute("SELECT * FROM intents ORDER BY position LIMIT ?", (limit,))) as rows:
                found += [Intent(*row) for row in rows]
        return sorted(found, key=lambda one: one.position)[:limit]

    def _put(self, intents: Sequence[Intent]) -> None:
        if self._disk is None:
            self._disk = sqlite3.connect("", isolation_level=None)  # a file without a name
            self._disk.execute("PRAGMA journal_mode = OFF")
            self._disk.execute(
                "CREATE TABLE intents (position INTEGER PRIMARY KEY, record, time, request, action)",
            )
            self._disk.execute("CREATE INDEX by_request ON intents (request)")
        rows = [(one.position, one.record, one.time, one.request_id, one.action) for one in intents]
        self._disk.executemany("INSERT INTO intents VALUES (?, ?, ?, ?, ?)", rows)
        self._on_disk += len(rows)
