"""A fair lock between the processes of one host.

SQLite's own answer to a locked database is to sleep and look again, so whoever has just committed wins over those
who sleep: one of several writers can be starved for seconds. Here a writer first takes `next`, then `now`, then
gives `next` up again. While one works, exactly one other stands in the doorway; the one that comes out has to go to
the end of the queue.

    next:  B waits in the doorway ------------+
    now:   A works ---------------- A leaves  | B works, C steps into the doorway
"""

import fcntl
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class Turnstile:
    """Locks by `flock` on two files beside the database; a process that dies gives its locks up.

    Threads that share a turnstile pass one at a time too: to the kernel they are one holder of one lock.

    Args:
        database: the file it guards; the locks are `<database>-next` and `<database>-now`.
    """

    def __init__(self, database: Path) -> None:
        self._inside = threading.Lock()
        self._next = self._open(database.with_name(f"{database.name}-next"))
        self._now = self._open(database.with_name(f"{database.name}-now"))

    @contextmanager
    def passing(self) -> Generator[None]:
        """Hold the lock. Blocks the thread until it is this process's turn; costs about 10 µs when nobody waits."""
        with self._inside:
            fcntl.flock(self._next, fcntl.LOCK_EX)
            try:
                fcntl.flock(self._now, fcntl.LOCK_EX)
            finally:
                fcntl.flock(self._next, fcntl.LOCK_UN)
            try:
                yield
            finally:
                fcntl.flock(self._now, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the files back."""
        os.close(self._next)
        os.close(self._now)

    @staticmethod
    def _open(path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
