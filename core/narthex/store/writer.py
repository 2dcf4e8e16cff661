"""The writer: many requests' records, one commit, each waiter woken when its own record is durable.

One thread per process takes whatever has gathered while the last commit went to disk, runs it in one transaction
and commits. Under load the groups grow by themselves; alone, a record is committed at once.

    strict callers  --write()-->  pending  --group-->  BEGIN; job, job, job; COMMIT (fsync)  --> woken, all at once
    observers       --post()--->

A job that fails takes no other with it: the group is run again, each job behind a savepoint of its own, so a job may
run twice and must do nothing but use its connection. When the disk or the server fails, every waiter of the group
gets a DependencyError, and the next group tries afresh.
"""

import asyncio
import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext, suppress
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from narthex.errors import ContractError, DependencyError
from narthex.store.engines import is_world, must_be_intact
from narthex.store.groups import Entry, Job, Run, call_soon, first_line, run_apart, run_together, settle

_log = logging.getLogger("narthex.store")

T = TypeVar("T")

GROUP: Final = 512
"""Jobs in one commit at most: a group of this size is written in the time of a few fsyncs."""
PATIENCE: Final = 10.0
"""Seconds `stop` waits for the last group."""
_END: Final = Entry(None)
"""Says that no more will come."""


class Writer:
    """Writes for one process. Made before a fork, it starts its thread after it; started before one, it refuses after.

    Args:
        engine: its transactions take the write lock when they begin.
        turn: the fair lock between the processes of a host, entered for each group.
        limit: jobs that may wait. Beyond it strict callers wait for room, and what observers post is dropped.
        committed: called in the writer's thread after each commit.

    Attributes:
        dropped: posted jobs that found no room, or whose group failed.
    """

    def __init__(
        self,
        engine: Engine,
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
        limit: int = 10_000,
        committed: Callable[[], None] | None = None,
    ) -> None:
        self._engine = engine
        self._turn = turn
        self._limit = limit
        self._committed = committed
        self._pending: SimpleQueue[Entry] = SimpleQueue()
        self._queueing: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._closed = True
        self._connection: Connection | None = None
        self._proven = False  # the connection has carried a group
        self._committing = False
        self._down_since: float | None = None
        self.dropped = 0

    def __len__(self) -> int:
        return self._pending.qsize()

    def start(self) -> None:
        """Begin. What is posted is also written where the process ends without `stop`, unless a signal ends it."""
        self._pending = SimpleQueue()
        self._closed = False
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="narthex-writer", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Write what waits, then end. Blocks for `PATIENCE` seconds at most; safe to call twice."""
        thread, self._thread = self._thread, None
        if thread is None or self._pid != os.getpid():  # a forked child has a copy of what the parent will write
            return
        atexit.unregister(self.stop)
        self._pending.put(_END)
        thread.join(PATIENCE)
        self._closed = True
        self._refuse_pending()

    async def write(self, job: Job[T]) -> T:
        """Run the job and return its result once it is durable.

        Raises:
            DependencyError: the store does not take it: it was not written, or nobody can say whether it was.
            Exception: what the job itself raised; nothing of it was written.
        """
        loop = asyncio.get_running_loop()
        self._must_run()
        while self._pending.qsize() >= self._limit:
            await self._room(loop)
            self._must_run()
        waiter: asyncio.Future[T] = loop.create_future()
        self._put(Entry(job, waiter, loop))
        return await waiter

    def write_blocking(self, job: Job[T]) -> T:
        """As `write`, for threads and commands; blocks until the job's result is durable. Does not wait for room."""
        self._must_run()
        if threading.current_thread() is self._thread:
            raise ContractError("a job waits for the writer that runs it")
        waiter: Future[T] = Future()
        self._put(Entry(job, waiter))
        return waiter.result()

    def post(self, job: Job[object]) -> bool:
        """Have the job written some time soon; False, and counted, where there is no room."""
        if self._pending.qsize() >= self._limit or not self._runs():
            self.dropped += 1
            return False
        self._put(Entry(job))
        return True

    def _runs(self) -> bool:
        """Whether there is a thread that writes: after a fork, it is in the parent only."""
        return self._thread is not None and self._pid == os.getpid()

    def _must_run(self) -> None:
        if not self._runs():
            raise DependencyError("the store is not open in this process")

    def _put(self, entry: Entry) -> None:
        self._pending.put(entry)
        if self._closed:  # between our look and our put
            self._refuse_pending()

    async def _room(self, loop: asyncio.AbstractEventLoop) -> None:
        waiter: asyncio.Future[None] = loop.create_future()
        self._queueing.append((loop, waiter))
        if self._closed or self._pending.qsize() < self._limit:  # room was made before the thread could see us
            return
        await waiter

    def _refuse_pending(self) -> None:
        refused = [entry for entry in self._take_waiting(self._pending.qsize()) if entry is not _END]
        self._pending.put(_END)  # for a thread that is stuck in a job, should it come back
        for entry in refused:
            entry.error = DependencyError("the store was closed before this could be written")
            self._lost(entry)
        settle(refused)
        self._make_room()

    # -- the writer's thread

    def _run(self) -> None:
        last = False
        while not last:
            group = [self._pending.get(), *self._take_waiting(GROUP - 1)]
            if last := _END in group:
                group.remove(_END)
            self._make_room()
            if group:
                self._write(group)
                settle(group)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _take_waiting(self, most: int) -> list[Entry]:
        taken: list[Entry] = []
        take, keep = self._pending.get_nowait, taken.append
        with suppress(Empty):
            for _ in range(most):
                keep(take())
        return taken

    def _make_room(self) -> None:
        while self._queueing:
            loop, waiter = self._queueing.popleft()
            call_soon(loop, _open_door, waiter)

    def _write(self, group: Sequence[Entry]) -> None:
        """Put the group on disk; every entry has its result or its error afterwards."""
        run: Run = run_together
        while (error := self._attempt(group, run)) is not None:
            if self._was_stale(error):
                self._disconnect()
            elif run is run_apart or is_world(error):
                self._failed(group, error)
                return
            else:
                run = run_apart
        self._succeeded()

    def _attempt(self, group: Sequence[Entry], run: Run) -> BaseException | None:
        """Run the group in a transaction; give what went wrong, whatever it was: the thread must not end by it."""
        self._committing = False
        try:
            with self._turn():
                if self._connection is None:
                    self._connection = self._engine.connect()
                with self._connection.begin():
                    run(self._connection, group)
                    must_be_intact(self._connection)
                    self._committing = True
        except BaseException as error:  # noqa: BLE001  sorted out by the caller
            return error
        self._proven = True
        return None

    def _was_stale(self, error: BaseException) -> bool:
        """Whether the server had closed a connection that stood idle: nothing of the group can be on its disk."""
        return self._proven and not self._committing and isinstance(error, DBAPIError) and error.connection_invalidated

    def _succeeded(self) -> None:
        since, self._down_since = self._down_since, None
        if since is not None:
            _log.warning("the store can be written again, after %.1f s", time.monotonic() - since)
        if self._committed is not None:
            try:
                self._committed()
            except Exception:  # noqa: BLE001  it is on disk whatever becomes of the news
                _log.exception("the other processes could not be told of a change")

    def _failed(self, group: Sequence[Entry], error: BaseException) -> None:
        """Nobody can say what of the group is on disk: say so to all, and begin with a new connection."""
        if self._down_since is None:
            self._down_since = time.monotonic()
            _log.error("the store cannot be written: %s", first_line(error))
        self._disconnect()
        for entry in group:
            entry.error = DependencyError("the store could not be written", retry_after=1)
            entry.error.__cause__ = error
            self._lost(entry)

    def _lost(self, entry: Entry) -> None:
        if entry.waiter is None:
            self.dropped += 1

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._proven = False
        if connection is not None:
            try:
                connection.invalidate()
                connection.close()
            except Exception as error:  # noqa: BLE001  it is broken, that is why it goes
                _log.debug("a broken connection: %s", error)


def _open_door(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
