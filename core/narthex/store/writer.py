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
from typing import Final, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from narthex.errors import ContractError, DependencyError
from narthex.store.engines import is_world
from narthex.store.groups import Entry, Job, Run, call_soon, first_line, run_apart, run_together, settle
from narthex.store.pending import Pending
from narthex.store.transactions import Transactions
from narthex.store.waker import Waker

_log = logging.getLogger("narthex.store")

T = TypeVar("T")

GROUP: Final = 512
"""Jobs in one commit at most: a group of this size is written in the time of a few fsyncs."""
PATIENCE: Final = 10.0
"""Seconds `stop` waits for the last group."""
LOOKS: Final = 10
"""Looks at one and the same group after which callers are refused."""
_END: Final = Entry(None)
"""Says that no more will come."""


class Writer:
    """Writes for one process. Made before a fork, it starts its thread after it; started before one, it refuses after.

    Args:
        engine: its transactions take the write lock when they begin.
        turn: the fair lock between the processes of a host, entered for each group.
        limit: jobs that may wait. Beyond it strict callers wait for room, and what observers post is dropped.
        committed: called in the writer's thread after each commit.
        check: called before anybody is told of a commit; what it raises, they are told instead.

    Attributes:
        dropped: posted jobs that found no room, or whose group failed.
    """

    def __init__(
        self,
        engine: Engine,
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
        limit: int = 10_000,
        committed: Callable[[], None] | None = None,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._turn = turn
        self._limit = limit
        self._committed = committed
        self._check = check
        self._pending = Pending()
        self._group: Sequence[Entry] = ()  # what the thread is at
        self._crowd = False  # whether it was more than one the last time
        self._ended = 0  # groups, written or not
        self._seen, self._looks, self._stuck = 0, 0, False  # as `look` found it
        self._waker: Waker[Sequence[Entry]] | None = None
        self._queueing: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._closed = True
        self._transactions = Transactions(engine)
        self._down_since: float | None = None
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._pending)

    def start(self, waker: Waker[Sequence[Entry]] | None = None) -> None:
        """Begin. What is posted is also written where the process ends without `stop`, unless a signal ends it.

        Args:
            waker: settles entries on the loop that most callers are on; its owner closes it after `stop`.
        """
        self._pending = Pending()
        self._waker = waker
        self._group, self._stuck = (), False
        self._closed = False
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="narthex-writer", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Write what waits, then end. Blocks for `PATIENCE` seconds at most; safe to call twice.

        A thread that is stuck for longer ends should it ever come back; its callers are refused now.
        """
        thread, self._thread = self._thread, None
        if thread is None or self._pid != os.getpid():  # a forked child has a copy of what the parent will write
            return
        atexit.unregister(self.stop)
        self._pending.join(_END)
        thread.join(PATIENCE)
        self._closed = True
        if thread.is_alive():
            self._give_up_waiting()
        self._refuse_pending()

    async def write(self, job: Job[T]) -> T:
        """Run the job and return its result once it is durable.

        Raises:
            DependencyError: the store does not take it: it was not written, or nobody can say whether it was.
            Exception: what the job itself raised; nothing of it was written.
        """
        loop = asyncio.get_running_loop()
        self._must_run()
        while len(self._pending) >= self._limit:
            await self._room(loop)
            self._must_run()
        waiter: asyncio.Future[T] = loop.create_future()
        entry = Entry(job, waiter, loop)
        self._put(entry, loop if self._crowd else None)
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
        if len(self._pending) >= self._limit or not self._runs():
            self.dropped += 1
            return False
        self._put(Entry(job))
        return True

    def look(self) -> None:
        """See that callers get an answer where the thread does not: called now and then, by whoever keeps the time.

        A disk that hangs, a process of this host that holds the lock and was stopped, a server that says nothing: what
        the thread waits for cannot be given up half-way. Where `LOOKS` looks in a row find it at the same group, all
        who wait are refused, and whoever comes is refused at once, until the thread comes back. (Looks are counted and
        not seconds: a process that was itself asleep is not to refuse what it has not tried.) What observers have
        posted goes on waiting.
        """
        if not self._runs() or not self._group or self._seen != self._ended:
            self._seen, self._looks, self._stuck = self._ended, 0, False
            return
        self._looks += 1
        if self._looks >= LOOKS:
            self._give_up_waiting()

    def _runs(self) -> bool:
        """Whether there is a thread that writes: after a fork, it is in the parent only."""
        return self._thread is not None and self._pid == os.getpid()

    def _must_run(self) -> None:
        if not self._runs():
            raise DependencyError("the store is not open in this process")
        if self._stuck:
            raise _unanswered()

    def _put(self, entry: Entry, loop: asyncio.AbstractEventLoop | None = None) -> None:
        if loop is None:
            self._pending.join(entry)
        else:
            self._pending.join_in_a_crowd(entry, loop)
        if self._closed:  # between our look and our put
            self._refuse_pending()

    async def _room(self, loop: asyncio.AbstractEventLoop) -> None:
        waiter: asyncio.Future[None] = loop.create_future()
        self._queueing.append((loop, waiter))
        if self._closed or len(self._pending) < self._limit:  # room was made before the thread could see us
            return
        await waiter

    def _give_up_waiting(self) -> None:
        if not self._stuck:
            _log.error("the store does not answer; until it does, nothing is taken")
        self._stuck = True
        waiting = self._pending.take(len(self._pending))
        for entry in waiting:
            if entry.waiter is None:
                self._pending.join(entry)
        refused = [entry for entry in (*self._group, *waiting) if entry.waiter is not None]
        for entry in refused:
            entry.refusal = _unanswered()
        settle(refused)
        self._make_room()

    def _refuse_pending(self) -> None:
        refused = [entry for entry in self._pending.take(len(self._pending)) if entry is not _END]
        self._pending.join(_END)  # for a thread that is stuck in a job, should it come back
        for entry in refused:
            entry.error = DependencyError("the store was closed before this could be written")
            self._lost(entry)
        settle(refused)
        self._make_room()

    # -- the writer's thread

    def _run(self) -> None:
        last = False
        while not last:
            self._pending.wait()
            group = self._group = self._pending.take(GROUP)
            if last := _END in group:
                group.remove(_END)
            if self._queueing:
                self._make_room()
            if group:
                self._crowd = len(group) > 1
                self._write(group)
                settle(group, self._waker)
            self._come_back()
        self._transactions.close()

    def _come_back(self) -> None:
        self._group = ()
        self._ended += 1
        if self._stuck:
            self._stuck = False
            _log.warning("the store answers again")

    def _make_room(self) -> None:
        with suppress(IndexError):  # another thread was quicker
            while self._queueing:
                loop, waiter = self._queueing.popleft()
                call_soon(loop, _open_door, waiter)

    def _write(self, group: Sequence[Entry]) -> None:
        """Put the group on disk; every entry has its result or its error afterwards."""
        run: Run = run_together
        while (error := self._attempt(group, run)) is not None:
            if self._was_stale(error):
                self._transactions.disconnect()
            elif run is run_apart or is_world(error):
                self._failed(group, error)
                return
            else:
                run = run_apart
        self._succeeded()

    def _attempt(self, group: Sequence[Entry], run: Run) -> BaseException | None:
        """Run the group in a transaction; give what went wrong, whatever it was: the thread must not end by it."""
        try:
            with self._turn():
                try:
                    connection = self._transactions.begin()
                    # Between the lock that we may have waited for and now, callers may have been refused.
                    run(connection, [one for one in group if one.refusal is None] if self._stuck else group)
                    self._transactions.commit()
                    if self._check is not None:
                        self._check()
                except BaseException:
                    self._transactions.rollback()
                    raise
        except BaseException as error:  # noqa: BLE001  sorted out by the caller
            return error
        return None

    def _was_stale(self, error: BaseException) -> bool:
        """Whether the server had closed a connection that stood idle: nothing of the group can be on its disk."""
        lost = isinstance(error, DBAPIError) and error.connection_invalidated
        return lost and self._transactions.proven and not self._transactions.committing

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
        self._transactions.disconnect()
        for entry in group:
            entry.error = DependencyError("the store could not be written", retry_after=1)
            entry.error.__cause__ = error
            self._lost(entry)

    def _lost(self, entry: Entry) -> None:
        if entry.waiter is None:
            self.dropped += 1


def _open_door(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


def _unanswered() -> DependencyError:
    return DependencyError("the store does not answer", retry_after=1)
