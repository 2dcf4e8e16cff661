"""A group of jobs: run in one transaction, and settled with whoever waits.

Run together first, which is fast; if that fails run apart, each job behind a savepoint, which tells whose fault it was.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, NestedTransaction

from narthex.errors import DependencyError
from narthex.store.engines import is_world, must_be_intact
from narthex.store.waker import Waker

_log = logging.getLogger("narthex.store")

T = TypeVar("T")
Job = Callable[[Connection], T]


class Batch(Protocol):
    """A job that can be run together with its like: one statement for many rows. Recognised by its `kind`."""

    @property
    def kind(self) -> Hashable:
        """Jobs of equal kind that follow each other are run in one call."""
        ...

    def run_all(self, connection: Connection, jobs: Sequence[Any]) -> Sequence[Any]:
        """Run `jobs`, all of this kind, and give their results in the same order."""
        ...

    def __call__(self, connection: Connection) -> Any:
        """Run this one alone, as any job."""
        ...


@dataclass(slots=True, eq=False)
class Entry:
    """A job and who waits for it.

    Attributes:
        waiter: settled on `loop`, or from the writer's thread where that is None.
        refusal: what the waiter was told before the writer came to it, or while it was stuck in its group.
    """

    job: Any
    waiter: "asyncio.Future[Any] | Future[Any] | None" = None
    loop: asyncio.AbstractEventLoop | None = None
    result: Any = None
    error: Exception | None = None
    refusal: DependencyError | None = None


Run = Callable[[Connection, Sequence[Entry]], None]


def run_together(connection: Connection, group: Sequence[Entry]) -> None:
    """Run jobs in order, neighbours of one kind in one call. Whatever one raises ends it."""
    if len(group) == 1:
        group[0].result = group[0].job(connection)
        return
    for kind, run in groupby(group, _kind):
        if kind is None:
            for entry in run:
                entry.result = entry.job(connection)
            continue
        alike = tuple(run)
        jobs = [entry.job for entry in alike]
        for entry, result in zip(alike, jobs[0].run_all(connection, jobs), strict=True):
            entry.result = result


def _kind(entry: Entry) -> Hashable:
    return getattr(entry.job, "kind", None)


def run_apart(connection: Connection, group: Sequence[Entry]) -> None:
    """Run each job behind a savepoint, so that only the one that fails is undone."""
    for entry in group:
        entry.error = None
        savepoint = connection.begin_nested()
        try:
            entry.result = entry.job(connection)
            must_be_intact(connection)
            for left_open in _within(savepoint, connection):
                left_open.commit()
            savepoint.commit()
        except BaseException as error:
            if is_world(error):
                raise
            for left_open in _within(savepoint, connection):
                left_open.close()
            savepoint.rollback()
            entry.error = _presentable(error)


def _within(savepoint: NestedTransaction, connection: Connection) -> Iterator[NestedTransaction]:
    """Savepoints that a job has begun and not ended, the innermost first: SQLAlchemy wants each ended by itself."""
    while (innermost := connection.get_nested_transaction()) not in (savepoint, None):
        yield innermost


def _presentable(error: BaseException) -> Exception:
    """What may be raised where somebody awaits: not what would end a generator, a task or the process."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration):
        return error
    presentable = RuntimeError(f"a job raised {type(error).__name__}")
    presentable.__cause__ = error
    return presentable


def settle(group: Sequence[Entry], waker: "Waker[Sequence[Entry]] | None" = None) -> None:
    """Wake every waiter: one call into each event loop for all of its tasks that wait beside one another.

    Args:
        group: entries with a result or an error.
        waker: the quick way into the loop it belongs to; for the writer's thread only.
    """
    if len(group) == 1 and waker is not None and group[0].loop is waker.loop:
        waker.carry(group)
        return
    for loop, some in groupby(group, attrgetter("loop")):
        if loop is None:
            settle_all(tuple(some))
        elif waker is not None and loop is waker.loop:
            waker.carry(tuple(some))
        else:
            call_soon(loop, settle_all, tuple(some))


def settle_all(entries: Sequence[Entry]) -> None:
    """Give each waiter its result or its error. Called where that may be done: on its loop, if it has one."""
    for entry in entries:
        waiter, error = entry.waiter, entry.refusal or entry.error
        if waiter is None:
            if error is not None:
                _log.error("a record was lost: %s", first_line(error))
        elif not waiter.done():  # else it was cancelled, or refused; it is written all the same
            with suppress(InvalidStateError):  # a thread's waiter, refused at this moment
                if error is not None:
                    waiter.set_exception(error)
                else:
                    waiter.set_result(entry.result)


def call_soon(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: object) -> None:
    """Call on the loop, from the writer's thread; nothing where the loop is gone."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:  # the loop is closed, and nobody waits any more
        _log.debug("a loop closed before its records were written")


def first_line(error: BaseException) -> str:
    """What went wrong, without the statement and its parameters, for the log."""
    cause = error.__cause__ or error
    return str(getattr(cause, "orig", None) or cause).partition("\n")[0]
