"""The bounded queue between requests and the store, and the thread that empties it.

A request puts down what it has seen and goes on. The thread wakes at the first note, gathers for a moment, makes
records of all that is there, and has them written in a few transactions; while the store does not answer it tries
again, and the queue fills.

    notes waiting   below `limit`           nobody waits
                    from `limit` on         requests wait, once they have been answered, or are refused before the app
                    from twice that on      what comes is lost, counted and said: memory has an end

The second bound is reached only where strangers, or plugins, make records faster than requests can be held up.
"""

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Final, Protocol
from weakref import WeakSet

from narthex.errors import DependencyError
from narthex_plugins.audit.recording import Note

BATCH: Final = 500
"""Records in one transaction: what strict callers of the same process may have to wait for."""
PATIENCE: Final = 5.0
"""Seconds that `stop` goes on trying."""
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0


class Keeper(Protocol):
    """Writes what was taken down."""

    def keep(self, notes: Sequence[Note], *, again: bool) -> None:
        """Make records of the notes and have them on disk when this returns. Called in the queue's thread.

        Args:
            notes: in their order.
            again: nobody can say whether they were written the last time.

        Raises:
            DependencyError: the store does not take them.
        """
        ...


class NoteQueue:
    """Takes notes, and sees to it that they are written.

    Args:
        keeper: writes them.
        limit: how many may wait before requests do.
        gather: seconds a batch gathers.
        lost: told how many were lost, each time.
        log: says it.

    Attributes:
        lost: how many, so far.
        since: when the oldest note that waits was taken up by the thread and could not be written
            (`time.monotonic`), or None.
    """

    def __init__(
        self, keeper: Keeper, limit: int, gather: float, lost: Callable[[int], None], log: logging.Logger
    ) -> None:
        self._keeper = keeper
        self._limit = limit
        self._gather = gather
        self._tell_lost = lost
        self._log = log
        self._queue: SimpleQueue[Note | None] | None = None
        self._early: list[Note] | None = []
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self._give_up_at = float("inf")
        self._busy = 0
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._lock = threading.Lock()
        self._said_at = float("-inf")
        self.lost = 0
        self.since: float | None = None

    def __len__(self) -> int:
        queue = self._queue
        return self._busy if queue is None else queue.qsize() + self._busy

    @property
    def full(self) -> bool:
        """Whether requests have to wait, or are refused. About 0.2 µs."""
        queue = self._queue
        return queue is not None and queue.qsize() + self._busy >= self._limit

    def start(self, name: str) -> None:
        """Begin."""
        queue: SimpleQueue[Note | None] = SimpleQueue()
        self._ending = threading.Event()
        self._give_up_at = float("inf")
        self._thread = threading.Thread(target=self._run, args=(queue,), name=f"narthex-{name}", daemon=True)
        self._thread.start()
        self._queue = queue
        _running.add(self)
        early, self._early = self._early or [], None
        for note in early:
            queue.put(note)

    def put(self, note: Note) -> None:
        """Take a note. Never blocks and never raises. Cost: 0.3 µs.

        Before `start` it waits for that: other plugins may have something to tell when they start.
        """
        queue = self._queue
        if queue is not None and queue.qsize() + self._busy < 2 * self._limit:
            queue.put(note)
        elif queue is None and self._early is not None and len(self._early) < self._limit:
            self._early.append(note)
        else:
            self._lose(1)

    async def room(self) -> None:
        """Wait until the queue is no longer full."""
        loop = asyncio.get_running_loop()
        while self.full:
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiting.append((loop, waiter))
            self._make_room()  # if there is some by now: the thread may not have seen us
            await waiter

    def stop(self) -> None:
        """Write what waits, for `PATIENCE` seconds at most. Blocks."""
        queue, self._queue = self._queue, None
        thread, self._thread = self._thread, None
        _running.discard(self)
        if queue is None or thread is None:
            self._early = []
            return
        self._give_up_at = time.monotonic() + PATIENCE
        self._ending.set()
        queue.put(None)
        thread.join(2 * PATIENCE + 1)
        left = queue.qsize() - (1 if thread.is_alive() else 0)
        if thread.is_alive():  # in a write that the store does not answer; it ends with the process
            left += self._busy
        if left > 0:
            self._lose(left)
        self._make_room()
        self._early = []  # until it begins again

    # -- the thread

    def _run(self, queue: "SimpleQueue[Note | None]") -> None:
        last = False
        while not last:
            first = queue.get()
            if first is not None:
                self._busy = 1
                self._ending.wait(self._gather)
            batch = [first, *(queue.get_nowait() for _ in range(queue.qsize()))]
            last = None in batch
            notes = [note for note in batch if note is not None]
            self._busy = len(notes)
            for at in range(0, len(notes), BATCH):
                some = notes[at : at + BATCH]
                self._write(some)
                self._busy -= len(some)
                self._make_room()
            self._busy = 0

    def _write(self, notes: Sequence[Note]) -> None:
        pause, again = _FIRST_PAUSE, False
        while True:
            try:
                self._keeper.keep(notes, again=again)
            except DependencyError as error:
                if self.since is None:
                    self.since = time.monotonic()
                    self._log.error("audit records cannot be written, and wait: %s", error)
                if time.monotonic() >= self._give_up_at:
                    self._lose(len(notes))
                    return
                self._ending.wait(pause)
                if self._ending.is_set():
                    time.sleep(_FIRST_PAUSE)
                pause, again = min(2 * pause, _LONGEST_PAUSE), True
            except Exception:  # noqa: BLE001  the thread must not end by it
                if len(notes) > 1:  # one of them is at fault, and takes no other with it
                    for note in notes:
                        self._write([note])
                    return
                self._log.exception("an audit record could not be written")
                self._lose(1)
                return
            else:
                if self.since is not None:
                    self._log.warning("audit records are written again, after %.1f s", time.monotonic() - self.since)
                    self.since = None
                return

    def _make_room(self) -> None:
        if self._waiting and not self.full:
            with suppress(IndexError):  # another thread was quicker
                while True:
                    loop, waiter = self._waiting.popleft()
                    with suppress(RuntimeError):  # its loop is closed
                        loop.call_soon_threadsafe(_open_door, waiter)

    def _lose(self, count: int) -> None:
        with self._lock:
            self.lost += count
            now, said = time.monotonic(), self._said_at
            if now - said >= 1:
                self._said_at = now
        if now - said >= 1:
            self._log.error("audit records were lost: %d so far in this process", self.lost)
        with suppress(Exception):  # whatever a metrics plugin does
            self._tell_lost(count)

    def forked(self) -> None:
        """In a forked child: the thread, and what waited, stayed with the parent."""
        self._queue = self._thread = None
        self._busy = 0
        self._lock = threading.Lock()
        self._waiting.clear()


def _open_door(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


_running: "WeakSet[NoteQueue]" = WeakSet()


def _forked() -> None:
    for queue in tuple(_running):
        queue.forked()


os.register_at_fork(after_in_child=_forked)
