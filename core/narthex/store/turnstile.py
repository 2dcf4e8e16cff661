"""A fair lock between the processes of one host.

SQLite's own answer to a locked database is to sleep and look again, so whoever has just committed wins over those
who sleep: one of several writers can be starved for seconds. Here a writer first takes `next`, then `now`, then
gives `next` up again. While one works, exactly one other stands in the doorway; the one that comes out has to go to
the end of the queue.

    next:  B waits in the doorway ------------+
    now:   A works ---------------- A leaves  | B works, C steps into the doorway

There is no limit to the wait: whoever gave up its place in the kernel's queue would have to begin at its end again, and
a lock that is taken by force from a process that was merely stopped is no lock. Who must not wait for ever is the
caller, and the writer sees to that.

A process that is forked has the same files open, and to the kernel the same lock, free when both are gone. So it closes
them: else a child that outlives its parent, who was killed inside, would keep everybody out.
"""

import os
import threading
from fcntl import LOCK_EX, LOCK_UN, flock
from pathlib import Path
from typing import Final
from weakref import WeakSet


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
        _in_use.add(self)

    def passing(self) -> "Turnstile":
        """Hold the lock while entered. Blocks until it is this process's turn; costs about 3 µs when nobody waits."""
        return self

    def __enter__(self) -> None:
        self._inside.acquire()
        try:
            flock(self._next, LOCK_EX)
            try:
                flock(self._now, LOCK_EX)
            finally:
                flock(self._next, LOCK_UN)
        except BaseException:
            self._inside.release()
            raise

    def __exit__(self, *_error: object) -> None:
        try:
            flock(self._now, LOCK_UN)
        finally:
            self._inside.release()

    def close(self) -> None:
        """Give the files back, unless a thread is still waiting at them, which would then wait at somebody else's."""
        if self._inside.acquire(blocking=False):
            self.give_back()

    def give_back(self) -> None:
        """Close the files, whoever is inside; in a process that was forked, where nobody passes any more."""
        _in_use.discard(self)
        for descriptor in (self._next, self._now):
            if descriptor >= 0:
                os.close(descriptor)
        self._next = self._now = -1

    @staticmethod
    def _open(path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


_in_use: Final[WeakSet[Turnstile]] = WeakSet()


def _close_in_child() -> None:
    for turnstile in list(_in_use):
        turnstile.give_back()


os.register_at_fork(after_in_child=_close_in_child)
