"""The revocation plugin: what is made of the settings, and what starts and stops."""

import asyncio
import random
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar, Final

from sqlalchemy import Connection

from narthex import Deny, Exchange, House, Identity, Route, hookimpl
from narthex.alerting import AlertRule, Board
from narthex.errors import DependencyError
from narthex.events import HouseReloaded
from narthex.hooks import Health, may_wait
from narthex.services import Sessions, TokenRevoker
from narthex.store import Tables
from narthex_plugins.revocation.alerting import BOARD, rule
from narthex_plugins.revocation.checker import STALE, Checker
from narthex_plugins.revocation.entries import Entries
from narthex_plugins.revocation.following import Follower, Gauges
from narthex_plugins.revocation.lease import Lease
from narthex_plugins.revocation.revoking import Revoker
from narthex_plugins.revocation.routes import Endpoints
from narthex_plugins.revocation.settings import RevocationSettings
from narthex_plugins.revocation.store import SWEEP, RevocationRows
from narthex_plugins.revocation.tables import tables
from narthex_plugins.revocation.telling import Teller

_SWEEP: Final = 600.0


class Revocation:
    """Refuses what was revoked: by token, by session, by subject, by the time of issue."""

    name: ClassVar = "revocation"
    Settings: ClassVar = RevocationSettings

    def __init__(self, settings: RevocationSettings, house: House) -> None:
        self._house = house
        self._settings = settings
        self._store = store = house.store
        self._mark = store.link.mark
        clock = house.clock
        self._boottime, self._now = clock.boottime, clock.now
        self._entries = entries = Entries(settings.longest)
        lease = Lease(settings.lease)
        self._checker = Checker(entries, lease, settings.longest)
        self._current = self._checker.current
        self._rows = rows = RevocationRows(house.instance, store.link, settings.longest)
        staleness = house.metrics.gauge(
            "narthex_revocation_staleness_seconds",
            "Seconds since the last complete look at the list of revocations began.",
            over="max",
        )
        teller = Teller(house, entries)
        size = house.metrics.gauge(
            "narthex_revocation_entries", "Revocations that a process holds in memory.", over="max"
        )
        self._follower = Follower(store, rows, entries, lease, clock, teller.tell, Gauges(staleness, size))
        self._offset = 0.0
        self._revoker = Revoker(store, rows, clock, settings.longest, self._follower)
        self._endpoints = Endpoints(settings, house, self._revoker)
        self._topic = self._follower.topic
        self._revoker.judge = self._acted_on
        # What was open while the plugin was off, or in shadow mode, is closed when that is over.
        house.events.subscribe(HouseReloaded, lambda _reloaded: teller.tell(()))
        house.provide(TokenRevoker, self._revoker)

    @hookimpl
    def tables(self) -> Tables:
        """Give the tables of the log and its readers."""
        return tables

    @hookimpl
    def routes(self) -> Sequence[Route]:
        """Give the endpoints."""
        return self._endpoints.routes()

    @hookimpl
    async def start(self) -> None:
        """Read the list, and begin to follow."""
        house = self._house
        self._revoker.sessions = house.service(Sessions)  # type: ignore[type-abstract]  # a Protocol is the key
        self._offset = self._now() - self._boottime()
        await self._follower.start()
        house.spawn(self._follower.follow, "list of revocations")
        house.spawn(self._sweep, "sweep")

    @hookimpl
    async def stop(self) -> None:
        """Be no reader any more: nobody waits for this process then."""
        await self._follower.stop()

    @hookimpl
    def health(self) -> Health:
        """Fail where requests would be refused because the list is too old."""
        if self._checker.current(self._boottime(), self._now(), self._mark(self._topic)):
            return Health("pass")
        return Health("warn", "the list of revocations is older than its lease")

    @hookimpl
    def alert_rules(self) -> Sequence[AlertRule]:
        """Tell when the list cannot be read."""
        return (rule(self._settings.lease),)

    @hookimpl
    def dashboards(self) -> Sequence[Board]:
        """Show the list's age and size."""
        return (BOARD,)

    @hookimpl
    @may_wait
    def vet(self, exchange: Exchange) -> Deny | Coroutine[Any, Any, Deny | None] | None:
        """Refuse whatever was revoked before this check began.

        Args:
            exchange: an anonymous one passes. Time is `clock.boottime()` at the moment of the check, never the
                exchange's opening time: an earlier hook may have waited.

        Returns:
            None, the verdict of `Checker.judge`, or Deny(503, "revocation_list_stale") where the list is older than
            the lease and cannot be read.
        Cost: two clocks, the link's mark and up to four look-ups; a coroutine, and a read of the store, only when the
            lease has run out or the link says that something changed.
        """
        identity = exchange.identity
        if identity is None:
            return None
        now = self._now()
        if self._current(self._boottime(), now, self._mark(self._topic)):
            return self._checker.judge(identity, now)
        return self._judge(identity)

    async def _judge(self, identity: Identity) -> Deny | None:
        began, now = self._boottime(), self._now()
        if not self._checker.current(began, now, self._mark(self._topic)):
            try:
                await self._follower.look(began)
            except DependencyError:
                return STALE
            now = self._now()
        return self._checker.judge(identity, now)

    async def _acted_on(self, identity: Identity) -> Deny | None:
        return None if self._house.shadow else await self._judge(identity)

    @asynccontextmanager
    async def visited(self) -> AsyncGenerator[Revoker]:
        """What revokes, with the store open and nothing started: for commands.

        Raises:
            StartError: the store cannot be opened.
        """
        self._revoker.sessions = self._house.service(Sessions)  # type: ignore[type-abstract]
        await self._store.start()
        try:
            yield self._revoker
        finally:
            await self._store.stop()

    async def _sweep(self) -> None:
        """Take away old history and dead readers from time to time; processes do so at different times."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SWEEP * random.uniform(0.5, 1.5)):  # noqa: S311  only spreads the load
                    await self._follower.doubtful.wait()
            self._follower.doubtful.clear()
            try:
                await self._bury()
                while await self._store.write(self._sweep_page) >= SWEEP:
                    continue
            except DependencyError as error:
                self._house.log.warning("old revocations could not be swept away: %s", error)

    def _sweep_page(self, connection: Connection) -> int:
        # What is swept away does not come back where a clock that was set forward is set back again.
        now = min(self._now(), self._boottime() + self._offset)
        return self._rows.sweep(connection, now, self._settings.history)

    async def _bury(self) -> None:
        """Take dead processes from the readers: whoever lives clears itself before every lease has run out."""
        doubter = self._follower.id
        longest = await self._store.write(lambda connection: self._rows.doubt(connection, doubter))
        await asyncio.sleep(2 * longest + 1)
        await self._store.write(lambda connection: self._rows.bury(connection, doubter))
