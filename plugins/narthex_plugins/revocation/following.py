"""Following the log: each process looks, takes up what is new, and says that it knows."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from narthex.clock import Clock
from narthex.errors import DependencyError
from narthex.metrics import Instrument
from narthex.storage import Store
from narthex_plugins.revocation.entries import Entries, Revocation
from narthex_plugins.revocation.lease import Lease, Reader
from narthex_plugins.revocation.store import PAGE, RevocationRows, Seen, Stamp, stamp

_log = logging.getLogger("narthex.plugins.revocation")

PATIENCE: Final = 2.0
"""Seconds that a look may take, where the lease is not longer; a store that takes longer does not answer."""
_TRIES: Final = 3
_PAUSE: Final = 0.01
"""Seconds between two looks at least, for a store that fails at once."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is told of a process's list: seconds since the last complete look began, and entries."""

    staleness: Instrument
    size: Instrument


class Follower:
    """One process as a reader of the log.

    Args:
        told: called with what a look has found, but for the first; the list holds it by then.
        gauges: set after each look in the background.

    Attributes:
        id: among the readers.
        topic: the link's.
        doubtful: somebody did not acknowledge within their lease.
    """

    def __init__(
        self,
        store: Store,
        rows: RevocationRows,
        entries: Entries,
        lease: Lease,
        clock: Clock,
        told: Callable[[Sequence[Revocation]], None],
        gauges: Gauges,
    ) -> None:
        self.id = ""
        self.topic = rows.log.name
        self._store = store
        self._rows = rows
        self._entries = entries
        self._lease = lease
        self._clock = clock
        self._told = told
        self._gauges = gauges
        self._version = 0
        self._stamp: Stamp = None
        self._told_of: int | None = None
        self._acknowledged = 0
        self._last = 0.0
        self._loading: float | None = None
        self._looking = asyncio.Lock()
        self._changed = asyncio.Event()
        self.doubtful = asyncio.Event()
        self._fails = False

    @property
    def patience(self) -> float:
        """Seconds that a look may take."""
        return max(PATIENCE, self._lease.seconds)

    async def start(self) -> None:
        """Be a reader, and read what is needed of the log.

        Raises:
            DependencyError: the store does not answer.
        """
        self.id = uuid4().hex
        # Of this loop:
        self._looking, self._changed, self.doubtful = asyncio.Lock(), asyncio.Event(), asyncio.Event()
        self._told_of, self._last = None, self._clock.boottime()
        self._begin_anew(self._clock.now())
        await self._stand()
        await self._look()

    async def stop(self) -> None:
        """Go by the list no more, then be a reader no more."""
        self._lease.end()
        with suppress(DependencyError):
            await self._store.write(lambda connection: self._rows.leave(connection, self.id))

    async def look(self, since: float) -> None:
        """Have the list hold everything that was committed before a moment of `clock.boottime()`.

        Raises:
            DependencyError: the store does not answer, or not in time.
        """
        try:
            async with asyncio.timeout(self.patience), self._looking:
                # Somebody may have looked while this one waited; that look counts if it began late enough.
                if self._lease.began <= since or self._clock.now() < self._entries.horizon:
                    await self._look()
        except TimeoutError as error:
            raise DependencyError("the list of revocations could not be read in time", retry_after=1) from error

    async def follow(self) -> None:
        """Look when the link says so, and every third of the lease; at once where that is over. Runs for ever."""
        unsubscribe = self._store.link.subscribe(self.topic, self._changed.set)
        try:
            while True:
                self._changed.clear()
                began = self._clock.boottime()
                await self._round()
                pause = self._lease.seconds / 3 - (self._clock.boottime() - began)
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(_PAUSE, pause)):
                        await self._changed.wait()
        finally:
            unsubscribe()

    def outdated(self, committed: float) -> None:
        """This process has committed something itself: its list is behind, whatever the link has told it so far."""
        self._lease.end(committed)
        self._changed.set()

    async def _round(self) -> None:
        try:
            await self.look(self._clock.boottime())
            await self._acknowledge()
        except DependencyError as error:
            if not self._fails:
                _log.warning("the list of revocations cannot be looked at: %s", error)
            self._fails = True
        else:
            if self._fails:
                _log.warning("the list of revocations can be looked at again")
            self._fails = False
            self._entries.drop(self._clock.now())  # some thousand at a time: nobody waits for it
        self._gauges.size.set(len(self._entries))
        self._gauges.staleness.set(max(0.0, self._clock.boottime() - self._last))

    async def _look(self) -> None:
        for _ in range(_TRIES):
            began, mark = self._clock.boottime(), self._store.link.mark(self.topic)
            now = self._clock.now()
            if now < self._entries.horizon:  # the clock was set back: what was forgotten may be shown again
                self._begin_anew(now)
            if await self._take_up():
                self._lease.renew(began, mark)
                self._last = began
                return
            await self._stand()
        raise DependencyError("this process is doubted faster than it can say that it lives", retry_after=1)

    async def _take_up(self) -> bool:
        """Read on to the log's end; whether this process stood among the readers all the while."""
        standing = True
        while True:
            seen = await self._store.read(self._see)
            standing = standing and seen.standing
            if seen.last < self._version or seen.stamp != self._stamp:
                standing = False  # its row may say that it knows more than there is now
                self._begin_again(seen.last)
                continue
            self._entries.add(seen.rows)
            complete = len(seen.rows) < PAGE
            self._move_on(seen, loaded=complete and self._loading is not None)
            if complete:
                return standing

    def _move_on(self, seen: Seen, *, loaded: bool) -> None:
        """Note up to where the log is known, and tell of what nobody was told of.

        Args:
            seen: the list holds it.
            loaded: the list is complete, for the first time since it was begun; what it did not need was left out.
        """
        if seen.rows:
            self._version, self._stamp = seen.rows[-1].version, stamp(seen.rows[-1])
        if loaded:
            self._loading = None
            if seen.last > self._version:
                self._version, self._stamp = seen.last, seen.last_stamp
        known = self._told_of
        if known is None:  # of what was there before this process nobody is told
            self._told_of = self._version if loaded else None
            return
        news = [row for row in seen.rows if row.version > known]
        self._told_of = max(known, self._version)
        if news:
            self._told(news)

    def _begin_again(self, last: int) -> None:
        """The log is another one, or ends before what was read of it: the store was put back to an earlier state.

        What this process knows stays; it is all that is left of what was revoked since.
        """
        _log.error(
            "the log of revocations is not the one that was read: was the store restored? What was revoked since the "
            "backup is refused by processes that run on, and by no other: revoke it again"
        )
        self._lease.end()
        self._version, self._stamp, self._acknowledged = 0, None, 0
        self._told_of, self._loading = last, self._clock.now()

    def _see(self, connection: object) -> Seen:
        return self._rows.see(connection, self.id, self._version, self._loading)  # type: ignore[arg-type]

    async def _stand(self) -> None:
        page, version = self._store.link.page(), self._version
        reader = Reader(self.id, version, page, self._lease.seconds)
        await self._store.write(lambda connection: self._rows.stand(connection, reader))
        self._acknowledged = version

    async def _acknowledge(self) -> None:
        """Say what is known, where somebody may wait for it."""
        version = self._version
        if version > self._acknowledged and not self._store.link.page():
            await self._store.write(lambda connection: self._rows.acknowledge(connection, self.id, version))
            self._acknowledged = version

    def _begin_anew(self, now: float) -> None:
        self._lease.end()
        self._entries.clear(now)
        self._version, self._stamp, self._loading = 0, None, now
