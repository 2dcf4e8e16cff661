"""Whether SQLite's files are still the ones that were opened.

SQLite does not mind when somebody deletes or replaces them (`mv`, `rm`, a backup put back under a running server): it
goes on with what has no name any more. What it acknowledges from then on is gone with the process, and a process that
starts later has another store: it would not hear of a revocation. So after a commit, and before a read, the names are
looked up, if they were not in the last `PERIOD`: a lookup takes 2 to 8 µs. A file that is written over in place cannot
be told from the one that was opened.

SQLite itself removes the log, when the last connection is closed; so connections are counted.
"""

import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, event

PERIOD: Final = 0.05
"""Seconds for which one look is good."""

_Identity = tuple[int, int]


class Whereabouts:
    """Of a database and its log.

    Args:
        database: the file, which is there.
    """

    def __init__(self, database: Path) -> None:
        self._database = str(database)
        self._log = f"{database}-wal"
        self._known = {self._database: _identity(self._database)}
        self._next = 0.0
        self._connections = 0
        self._counting = threading.Lock()  # readers connect in threads of their own

    def watch(self, engine: Engine) -> None:
        """Have an engine connect to this database only: SQLite would make a new one. After other listeners."""
        event.listen(engine, "do_connect", self._before_connect)
        event.listen(engine, "connect", self._connected)
        for end in ("close", "close_detached"):
            event.listen(engine, end, self._closed)

    def check(self) -> None:
        """Look, where the last look was longer ago than `PERIOD`, or has found something.

        Raises:
            sqlite3.OperationalError: as `check_now`.
        """
        now = time.monotonic()
        if now >= self._next:
            self.check_now()
            self._next = now + PERIOD

    def check_now(self) -> None:
        """Look.

        Raises:
            sqlite3.OperationalError: a file is gone, or another one has its name; as SQLite has it where it looks
                itself, SQLITE_READONLY_DBMOVED.
        """
        for name, known in tuple(self._known.items()):
            if _identity(name) != known:
                error = sqlite3.OperationalError(
                    f"{name} was deleted or replaced while it was open; start again to open what is there now"
                )
                error.sqlite_errorcode = sqlite3.SQLITE_READONLY_DBMOVED
                raise error

    def _before_connect(self, *_arguments: object) -> None:
        if not self._connections:
            self._known.pop(self._log, None)
        self.check_now()

    def _connected(self, *_arguments: object) -> None:
        with self._counting:
            self._connections += 1
            if self._connections == 1:  # the log that is there now is the one that it uses, and whoever comes later
                self._known[self._log] = _identity(self._log)

    def _closed(self, *_arguments: object) -> None:
        with self._counting:
            self._connections -= 1


def _identity(name: str) -> _Identity | None:
    try:
        found = os.stat(name)  # noqa: PTH116  at each commit, and a Path takes twice as long
    except OSError:
        return None
    return found.st_dev, found.st_ino
