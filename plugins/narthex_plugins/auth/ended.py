"""The sessions that were ended before their time, as every process knows them.

What a process remembers of a session, its cookie above all, must be forgotten as soon as any process has ended it. The
truth is a rising log in the store. A process holds what it has read of it and, at each request that comes with a
cookie, compares the link's mark with the one it saw before its last look: on one host the mark is shared memory that
changes with the commit, so an ended session is not good for one request more; over PostgreSQL it is a notification that
takes some milliseconds. Marks may be lost, so it looks every few seconds in any case, and when it could not for `STALE`
seconds, sessions known by cookie are no longer taken on trust.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from narthex.clock import Clock
from narthex.errors import DependencyError
from narthex.link.looking import keep_looking
from narthex.storage import Store
from narthex.store import RisingLog

_log = logging.getLogger("narthex.plugins.auth")

LOOK: Final = 5.0
"""Seconds between two looks that nobody asked for."""
STALE: Final = 30.0
"""Seconds after which what was read last is too old to trust a cookie by."""


class EndedSessions:
    """What this process has read of the log.

    Args:
        store: where the log is.
        log: of ended sessions.
        clock: `boottime` tells how old the last look is; a laptop that slept has a stale one.
        told: called with the ids that a look has found, before anybody goes on by it.
    """

    def __init__(
        self,
        store: Store,
        log: RisingLog,
        clock: Clock,
        told: Callable[[Sequence[str]], None],
    ) -> None:
        self._store = store
        self._log = log
        self._clock = clock
        self._told = told
        self._version = 0
        self._mark = -1
        self._fresh_until = float("-inf")
        self._looking = asyncio.Lock()

    def mark(self) -> int:
        """What the link says now. Under 1 µs, no I/O."""
        return self._store.link.mark(self._log.name)

    def current(self) -> bool:
        """Whether nothing can have been ended that this process does not know of. Under 1 µs, no I/O."""
        return self._mark == self.mark() and self._clock.boottime() < self._fresh_until

    def outdated(self) -> None:
        """This process has ended a session itself: what it has read is behind, whatever the link has told it so far."""
        self._fresh_until = float("-inf")

    async def start(self) -> None:
        """Begin at the log's end: what was ended before is not remembered by this process either."""
        self._looking = asyncio.Lock()  # of this loop
        self._mark = self.mark()
        self._version = await self._store.read(self._log.last)
        self._fresh_until = self._clock.boottime() + STALE

    async def look(self) -> None:
        """Read what was ended since the last look.

        Raises:
            DependencyError: the store does not answer.
        """
        async with self._looking:
            if self.current() and self._clock.boottime() < self._fresh_until - STALE + LOOK / 2:
                return  # somebody looked while this one waited
            began, mark = self._clock.boottime(), self.mark()
            while True:
                rows = await self._store.read(lambda connection: self._log.after(connection, self._version))
                if not rows:
                    break
                self._version = rows[-1]["version"]
                self._told([row["session"] for row in rows])
            self._mark, self._fresh_until = mark, began + STALE

    async def follow(self) -> None:
        """Look whenever the link says so, and from time to time. Runs for ever."""
        await keep_looking(self._store.link, self._log.name, self._round, LOOK)

    async def _round(self) -> None:
        try:
            await self.look()
        except DependencyError as error:
            _log.warning("the log of ended sessions could not be looked at: %s", error)
