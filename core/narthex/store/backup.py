"""A copy of a SQLite store, taken while servers write to it.

SQLite's online backup reads one snapshot: what is committed when it begins, all of it and nothing half-way. The copy
takes its name only when it is complete, checked and on the disk, and never the name of a file that is already there.
"""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from uuid import uuid4


class Damaged(Exception):
    """The copy did not pass SQLite's own check, so there is none."""


def backup(database: Path, target: Path) -> int:
    """Copy a store.

    Args:
        database: the store's file, which may be in use.
        target: the copy to make, in a directory that exists.

    Returns:
        The size of the copy in bytes.

    Raises:
        FileExistsError: there is a file called `target`.
        OSError: the copy cannot be written.
        sqlite3.Error: the store cannot be read, or the copy not written.
        Damaged: `PRAGMA integrity_check` found something.

    Cost: reads the store once and writes it once, then reads the copy. Writers are not held up.
    """
    if target.exists():
        raise FileExistsError(f"{target} is already there")
    partial = target.with_name(f"{target.name}.{uuid4().hex[:8]}.partial")
    try:
        _copy(database, partial)
        _name(partial, target)
    finally:
        for left in (partial, partial.with_name(f"{partial.name}-journal")):
            with suppress(FileNotFoundError):
                left.unlink()
    _sync(target.parent)
    return target.stat().st_size


def _copy(database: Path, partial: Path) -> None:
    # It holds whatever the store holds, hashes of passwords too.
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    source = sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=10)
    with closing(source), closing(sqlite3.connect(partial)) as copy:
        source.backup(copy)
        # The copy says of itself that it has a write-ahead log, as the store has; it is to be one file.
        copy.execute("PRAGMA journal_mode = DELETE")
        found = [str(row[0]) for row in copy.execute("PRAGMA integrity_check")]
        if found != ["ok"]:
            raise Damaged(found[0])
    _sync(partial)


def _name(partial: Path, target: Path) -> None:
    """Give the copy its name, unless somebody else has taken it meanwhile."""
    try:
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: take the name, then put the copy there
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        partial.replace(target)


def _sync(path: Path) -> None:
    """Have a file, or the names in a directory, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
