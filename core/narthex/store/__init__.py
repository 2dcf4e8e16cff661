"""The store: where plugins keep what must not be lost.

A plugin writes by giving the writer a job, and has its result once that is durable; it reads on a thread of its own.

    async def remember(connection): ...
    version = await house.store.write(log.appending({"subject": "alice"}))
    rows = await house.store.read(lambda connection: log.after(connection, version))
"""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TypeVar

from sqlalchemy import Engine, PoolProxiedConnection
from sqlalchemy.exc import SQLAlchemyError

from narthex.clock import Clock
from narthex.errors import DependencyError, StartError
from narthex.hooks import Health
from narthex.link import Link, LocalLink
from narthex.store.address import Address
from narthex.store.engines import READERS, is_world, make_file, reading, writing
from narthex.store.groups import Entry, Job, first_line, settle_all
from narthex.store.logs import RisingLog, log_columns
from narthex.store.members import Member, Membership
from narthex.store.migrations import Tables, upgrade, with_core
from narthex.store.turnstile import Turnstile
from narthex.store.waker import Waker
from narthex.store.whereabouts import Whereabouts
from narthex.store.writer import LOOKS, Writer

__all__ = ["Member", "RisingLog", "Store", "Tables", "log_columns"]

T = TypeVar("T")
_log = logging.getLogger("narthex.store")

TTL = 10.0
"""Seconds without a beat after which a member counts as gone."""
PATIENCE = 10.0
"""Seconds for which the writer may be at one group of jobs; then callers are refused until it comes back."""
_NOT_OPEN = "the store is not open in this process"


class Store:
    """The deployment's store, as one process has it open.

    Attributes:
        address: where it is.
        link: tells all processes to look.
        membership: this process among those that serve.
    """

    def __init__(self, address: Address, clock: Clock, *, ttl: float = TTL, patience: float = PATIENCE) -> None:
        self.address = address
        self.link = _link(address)
        self.membership = Membership(clock, ttl)
        self._turnstile: Turnstile | None = None
        self._reading: Engine | None = None
        self._writing: Engine | None = None
        self._anchor: PoolProxiedConnection | None = None
        self._writer: Writer | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._tables: tuple[Tables, ...] = ()
        self._adopting = asyncio.Lock()
        self._waker: Waker[Sequence[Entry]] | None = None
        self._patience = patience
        self._beats: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._pid = 0

    @property
    def waiting(self) -> int:
        """Jobs that wait for the writer."""
        return 0 if self._writer is None else len(self._writer)

    @property
    def dropped(self) -> int:
        """Posted jobs that were lost since it was opened."""
        return 0 if self._writer is None else self._writer.dropped

    async def start(self, tables: Sequence[Tables] = ()) -> None:
        """Open it, bring every table up to date under a lock, join the members.

        Raises:
            StartError: it cannot be opened or migrated.
        """
        try:
            self._waker = _waker()
            await asyncio.to_thread(self._open, tables)
            self._watch = asyncio.create_task(self._look(), name="narthex store")
            await self.link.start()
            self.membership.begin()
            await self.write(self.membership.beat)
        except BaseException as error:
            await self.stop()
            if not isinstance(error, OSError | SQLAlchemyError | DependencyError):
                raise
            reason = first_line(error)
            raise StartError(f"the store {self.address} cannot be opened: {reason}") from error
        self._beats = asyncio.create_task(self._beat(), name="narthex membership")

    async def stop(self) -> None:
        """Leave the members, write what waits, tell of it, close."""
        beats, self._beats = self._beats, None
        if beats is not None:
            beats.cancel()
            with suppress(asyncio.CancelledError):
                await beats
            with suppress(DependencyError):
                await self.write(self.membership.leave)
        await asyncio.to_thread(self._close)
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
        waker, self._waker = self._waker, None
        if waker is not None and self._pid == os.getpid():
            waker.close()
        await self.link.stop()

    async def adopt(self, tables: Sequence[Tables]) -> None:
        """Bring tables up to date that were not given to `start`, while the store serves: a plugin was switched on.

        Tables it has already are left alone, so it may be called again. Writers wait meanwhile, as at boot.

        Raises:
            PluginError: as `start` would have: revisions that cannot be read, a name that others have.
            StartError: this release cannot run on what it found, or a revision failed. Nothing was changed.
            DependencyError: the store does not take it.
        """
        async with self._adopting:
            wanted = with_core((*self._tables, *tables))
            new = [one for one in wanted if one not in self._tables]
            if new:
                await asyncio.to_thread(self._adopt, new)
                self._tables = wanted

    async def write(self, job: Job[T]) -> T:
        """Run the job in the writer and return its result once that is durable.

        Args:
            job: takes a SQLAlchemy connection inside a transaction it shares with other jobs; may be run twice.

        Raises:
            DependencyError: the store does not take it.
            Exception: what the job raised; nothing of it was written.
        """
        return await self._open_writer().write(job)

    def write_blocking(self, job: Job[T]) -> T:
        """As `write`, from a thread other than the event loop's."""
        return self._open_writer().write_blocking(job)

    def post(self, job: Job[object]) -> bool:
        """Have the job written soon, without waiting; False where there is no room, or the store is not open."""
        return self._writer is not None and self._writer.post(job)

    async def read(self, job: Job[T]) -> T:
        """Run the job on a reader's thread and connection.

        Raises:
            DependencyError: the store does not answer.
        """
        readers = self._readers
        if readers is None or self._pid != os.getpid():
            raise DependencyError(_NOT_OPEN)
        try:
            found = asyncio.get_running_loop().run_in_executor(readers, self.read_blocking, job)
        except RuntimeError:  # `stop` was quicker, in its thread
            raise DependencyError(_NOT_OPEN) from None
        return await found

    def read_blocking(self, job: Job[T]) -> T:
        """As `read`, on the calling thread."""
        reading = self._reading
        if reading is None or self._pid != os.getpid():
            raise DependencyError(_NOT_OPEN)
        try:
            with reading.connect() as connection:
                return job(connection)
        except SQLAlchemyError as error:
            if is_world(error):
                raise DependencyError("the store could not be read", retry_after=1) from error
            raise

    def follow(self, digest: str) -> None:
        """Say among the members which configuration this process follows, from the next beat on."""
        self.membership.digest = digest

    async def members(self) -> Sequence[Member]:
        """Every process that serves."""
        return await self.read(self.membership.living)

    async def saw(self, log: str, version: int) -> None:
        """Say among the members how far this process has read a log; they know when it returns.

        Raises:
            DependencyError: the store does not take it.
        """
        self.membership.seen = {**self.membership.seen, log: version}  # the writer may be reading the old one
        await self.write(self.membership.beat)

    async def behind(self, log: str, version: int) -> Sequence[str]:
        """Which other members follow a log and have not said that they have read it up to a version: "host:pid" each.

        Raises:
            DependencyError: the store does not answer.
        """
        others = [one for one in await self.members() if one.id != self.membership.id]
        return [f"{one.node}:{one.pid}" for one in others if one.seen.get(log, version) < version]

    async def health(self) -> Health:
        """Whether the store takes a write; a full disk takes none, so it has to be a real one."""
        try:
            await self.write(self.membership.beat)
        except DependencyError as error:
            return Health("fail", str(error))
        return Health("pass")

    def exclusive(self) -> AbstractContextManager[None]:
        """The fair lock between processes of this host; nothing where the store has its own."""
        return self._turnstile.passing() if self._turnstile is not None else nullcontext()

    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise DependencyError(_NOT_OPEN)
        return self._writer

    def _open(self, tables: Sequence[Tables]) -> None:
        self._pid = os.getpid()
        file = self.address.file
        turn: Callable[[], AbstractContextManager[None]] = nullcontext
        whereabouts: Whereabouts | None = None
        if file is not None:
            make_file(self.address)
            whereabouts = Whereabouts(file)
            self._turnstile = Turnstile(file)
            turn = self._turnstile.passing
        self._writing = writing(self.address, whereabouts)
        self._reading = reading(self.address, whereabouts)
        if self.address.kind == "memory":  # which lasts for as long as a connection has it open
            self._anchor = self._reading.raw_connection()
        self._tables = with_core(tables)
        upgrade(self._writing, self._tables, turn)
        if file is not None:
            _sync_directory(file.parent)
        check = None if whereabouts is None else whereabouts.check
        self._writer = Writer(self._writing, turn, committed=self.link.committed, check=check)
        self._writer.start(self._waker)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="narthex-reader")

    def _adopt(self, tables: Sequence[Tables]) -> None:
        writing = self._writing
        if writing is None or self._pid != os.getpid():
            raise DependencyError(_NOT_OPEN)
        try:
            upgrade(writing, tables, self.exclusive)
        except SQLAlchemyError as error:
            raise DependencyError("the store could not be migrated", retry_after=1) from error

    def _close(self) -> None:
        writer, readers, engines = self._writer, self._readers, (self._reading, self._writing)
        turnstile, self._turnstile = self._turnstile, None
        anchor, self._anchor = self._anchor, None
        self._writer = self._readers = self._reading = self._writing = None
        if self._pid != os.getpid():  # a forked child: connections and locks are its parent's, who still needs them
            return
        if writer is not None:
            writer.stop()
        if readers is not None:
            readers.shutdown()
        if anchor is not None:
            anchor.close()
        for engine in engines:
            if engine is not None:
                engine.dispose()
        if turnstile is not None:
            turnstile.close()

    async def _look(self) -> None:
        """Have callers refused where the writer is stuck."""
        while True:
            await asyncio.sleep(self._patience / LOOKS)
            if self._writer is not None:
                self._writer.look()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.membership.ttl / 3)
            try:
                await self.write(self.membership.beat)
            except Exception as error:  # noqa: BLE001  whatever it is, the next beat may succeed
                _log.warning("this process could not say that it is alive: %s", error)


def _waker() -> Waker[Sequence[Entry]] | None:
    """The quick way into the running loop, where it can watch a pipe: all but Windows' own."""
    try:
        return Waker(asyncio.get_running_loop(), settle_all)
    except NotImplementedError:
        return None


def _link(address: Address) -> Link:
    if address.kind == "postgresql":
        from narthex.link.postgres import PostgresLink  # noqa: PLC0415  only where it is the store

        return PostgresLink(address.url)
    if address.file is not None:
        from narthex.link.host import HostLink  # noqa: PLC0415

        return HostLink(address.file.with_name(f"{address.file.name}-link"))
    return LocalLink()


def _sync_directory(directory: os.PathLike[str]) -> None:
    """Make the file's name durable too: a new file is not on the disk before its directory is."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
