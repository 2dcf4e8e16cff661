"""Following the logs: each process looks when the link says so, and hands on what is new in the order of the log."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

from sqlalchemy import Connection

from narthex import House
from narthex.errors import DependencyError
from narthex_plugins.events.event import Id, Published
from narthex_plugins.events.hub import Hub
from narthex_plugins.events.log import PAGE, SWEEP, EventRows
from narthex_plugins.events.subscriber import NEVER

EVERY: Final = 1.0
"""Seconds between two looks that nobody asked for: the link may lose a word."""
_SWEEP: Final = 60.0


class Follower:
    """One process as a reader of the logs.

    Args:
        house: whose store it is.
        rows: the logs.
        hub: gets what is read.
        origin: names this process among those that publish.
        retention: seconds for which durable events are kept.

    Attributes:
        version: up to which every kept event was handed to the hub.
    """

    def __init__(self, house: House, rows: EventRows, hub: Hub, origin: str, retention: float) -> None:
        self._house = house
        self._store = house.store
        self._rows = rows
        self._hub = hub
        self._origin = origin
        self._retention = retention
        self._passed = 0
        self._changed = asyncio.Event()
        self._fails = False
        self._since = 0.0
        self.version = 0
        self.mark = "0"

    async def start(self) -> None:
        """Begin at the logs' ends.

        Raises:
            DependencyError: the store does not answer.
        """
        self._changed = asyncio.Event()  # of this loop
        place = await self._store.read(lambda connection: self._rows.place(connection, 0))
        self.version, self.mark = place.last
        self._passed = await self._store.read(self._rows.last_passing)
        self._since = self._house.clock.boottime()

    @property
    def place(self) -> Id:
        """Where a stream that begins now begins."""
        return self.version, self.mark

    @property
    def staleness(self) -> float:
        """Seconds since the last look that succeeded."""
        return max(0.0, self._house.clock.boottime() - self._since)

    @property
    def alone(self) -> bool:
        """Whether no other process can share the store, which lies in this one's memory."""
        return self._store.link.page().startswith("process ")

    def wrote(self, version: int, event: Published) -> None:
        """This process has kept an event itself. On the loop."""
        if version == self.version + 1:
            self._take(version, event)
        else:  # another process was quicker with the one before
            self._changed.set()

    async def follow(self) -> None:
        """Hand on durable events as they are kept. Runs for ever; for `House.spawn`."""
        await self._keep(self._rows.kept.name, self._changed, self._look)

    async def follow_passing(self) -> None:
        """Hand on transient events that other processes have published. Runs for ever; for `House.spawn`."""
        await self._keep(self._rows.passing.name, asyncio.Event(), self._look_at_passing)

    async def sweep(self) -> None:
        """Take away what is old from time to time; processes do so at different times. For `House.spawn`."""
        while True:
            await asyncio.sleep(_SWEEP * random.uniform(0.5, 1.5))  # noqa: S311  only spreads the load
            with suppress(DependencyError):
                while await self._store.write(self._sweep_page) >= SWEEP:
                    continue

    def _sweep_page(self, connection: Connection) -> int:
        return self._rows.sweep(connection, self._house.clock.now(), self._retention)

    async def _keep(self, topic: str, changed: asyncio.Event, look: Callable[[], Awaitable[None]]) -> None:
        unsubscribe = self._store.link.subscribe(topic, changed.set)
        try:
            while True:
                changed.clear()
                await self._try(look)
                with suppress(TimeoutError):
                    async with asyncio.timeout(EVERY):
                        await changed.wait()
        finally:
            unsubscribe()

    async def _try(self, look: Callable[[], Awaitable[None]]) -> None:
        try:
            await look()
        except DependencyError as error:
            if not self._fails:
                self._house.log.warning("the log of events cannot be read: %s", error)
            self._fails = True
        else:
            if self._fails:
                self._house.log.warning("the log of events can be read again")
            self._fails = False
            self._since = self._house.clock.boottime()

    async def _look(self) -> None:
        while True:
            known = self.version
            seen = await self._store.read(partial(self._rows.see, version=known))
            if seen.last < known:  # the store was put back to an earlier state
                await self._begin_again()
                continue
            for event in seen.events:
                if event.version > self.version:  # else this process has kept it itself meanwhile
                    if event.version > self.version + 1:
                        self._hub.tell("gap", reason="retention")
                    self._take(event.version, event)
            if len(seen.events) < PAGE:
                return

    def _take(self, version: int, event: Published) -> None:
        self.version, self.mark = version, event.mark
        self._hub.deliver(event)

    async def _begin_again(self) -> None:
        place = await self._store.read(lambda connection: self._rows.place(connection, 0))
        self.version, self.mark = place.last
        for one in self._hub:
            if one.last != NEVER:  # else it is being replayed to, and finds out by itself
                one.last = min(one.last, self.version)
        self._hub.tell("gap", reason="unknown")

    async def _look_at_passing(self) -> None:
        while True:
            known = self._passed
            last, read, events = await self._store.read(
                partial(self._rows.see_passing, version=known, origin=self._origin)
            )
            self._passed = min(last, read) if last < known else max(known, read)
            for event in events:
                self._hub.deliver(event)
            if read - known < PAGE:
                return
