"""Before a writer adds to SQLite's log, what stands in the log is on the disk.

A sync that failed leaves bytes that nothing will ever write: Linux reports the error once and takes the pages for
clean, so the next sync says "done" without them. Everybody who reads the file sees them, until the power goes. Two
things go wrong then. A commit behind such bytes is unreadable, because the log is read up to its first damaged frame.
And a checkpoint that copies from such a log into the database, relying on a sync that did nothing, leaves a database
half old and half new if the power goes in its middle, with no log to mend it.

So each new connection of a writer writes the log's bytes once more, over themselves, which makes the pages dirty again,
syncs them, and has what is in the log copied into the database. The connection that failed stays open until that has
succeeded (see `transactions`): the last one to be closed makes a checkpoint of its own.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

_PIECE: Final = 1 << 20
"""Bytes that are written again at a time."""


def healing(database: Path) -> Callable[[sqlite3.Connection, object], None]:
    """What to do with a new connection of a writer. Costs a read and a write of the log, of 4 MB as a rule at most."""
    log = database.with_name(f"{database.name}-wal")

    def heal(connection: sqlite3.Connection, _record: object) -> None:
        # Nobody may add to the log meanwhile: his frames would be written over by what was read before.
        connection.execute("BEGIN IMMEDIATE").close()
        try:
            _write_again(log)
        finally:
            connection.execute("ROLLBACK").close()
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()

    return heal


def _write_again(log: Path) -> None:
    """Write a file's bytes over themselves and sync them.

    Raises:
        OSError: the disk does not take them.
    """
    descriptor = os.open(log, os.O_RDWR | os.O_CLOEXEC)
    try:
        at = 0
        while piece := os.pread(descriptor, _PIECE, at):
            written = 0
            while written < len(piece):
                written += os.pwrite(descriptor, piece[written:], at + written)
            at += len(piece)
        if at:
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
