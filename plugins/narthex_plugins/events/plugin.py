"""The events plugin: what is made of the settings, and what starts and stops."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Final
from uuid import uuid4

from narthex import House, Route, hookimpl
from narthex.alerting import AlertRule, Board
from narthex.events import Event
from narthex.hooks import Health
from narthex.store import Tables
from narthex_plugins.events.alerting import BOARD, DROPPING, LOSING, UNREAD, watch
from narthex_plugins.events.app import DESKS, current
from narthex_plugins.events.event import Published
from narthex_plugins.events.following import Follower
from narthex_plugins.events.hearing import Hearing
from narthex_plugins.events.hub import Hub
from narthex_plugins.events.log import EventRows
from narthex_plugins.events.publishing import Publisher
from narthex_plugins.events.routes import Endpoints
from narthex_plugins.events.rules import Rules
from narthex_plugins.events.settings import EventsSettings
from narthex_plugins.events.streaming import STOPPING, Streams
from narthex_plugins.events.tables import tables

_AT_ONCE: Final = 200
"""Streams that are looked at before others on the loop have their turn."""
_STALE: Final = 10.0
"""Seconds without a look at the log after which the plugin is not well."""
_LAST: Final = 2.0
"""Seconds for which the end waits for streams."""


class Events:
    """Streams events to those who may read them."""

    name: ClassVar = "events"
    Settings: ClassVar = EventsSettings

    def __init__(self, settings: EventsSettings, house: House) -> None:
        self._settings = settings
        self._house = house
        self._rules = rules = Rules(settings)
        self._hub = hub = Hub(rules, settings.queue, disconnect=settings.slow == "disconnect")
        rows = EventRows(house.instance, house.store.link)
        origin = uuid4().hex
        self._follower = follower = Follower(house, rows, hub, origin, settings.retention)
        self.publisher = publisher = Publisher(house, rules, hub, rows, follower, origin, settings.largest)
        streams = Streams(house, rules, hub, rows, follower, settings.retry)
        self._endpoints = Endpoints(settings, house, rules, hub, streams, publisher)
        self._hearing = Hearing(publisher, house.clock.boottime, settings.house_rate)
        if settings.house:
            house.events.subscribe(Event, self._hear)
        watch(house, hub, follower)

    @property
    def desk(self) -> tuple[int, str]:
        """As `app.Desk` has it."""
        return self._house.ordinal, self._house.instance

    def deliver(self, event: Published) -> None:
        """As `app.Desk` has it."""
        self._hub.hand_on(event)

    @hookimpl
    def tables(self) -> Tables:
        """Give the tables of the logs."""
        return tables

    @hookimpl
    def routes(self) -> Sequence[Route]:
        """Give the endpoints."""
        return self._endpoints.routes()

    @hookimpl
    async def start(self) -> None:
        """Begin at the logs' ends, and follow them."""
        self._hub.begin()
        self.publisher.begin()
        await self._follower.start()
        DESKS.append(self)
        house = self._house
        house.spawn(self._follower.follow, "durable events")
        if not self._follower.alone:
            house.spawn(self._follower.follow_passing, "transient events of other processes")
        house.spawn(self._follower.sweep, "sweep")
        house.spawn(self._beat, "heartbeat")
        house.spawn(self._recheck, "permissions")

    @hookimpl
    async def stop(self) -> None:
        """End the streams; their clients come back, to another process or another configuration."""
        if self in DESKS:
            DESKS.remove(self)
        for one in self._hub:
            one.end(STOPPING)
        loop = asyncio.get_running_loop()
        until = loop.time() + _LAST
        while len(self._hub) and loop.time() < until:  # noqa: ASYNC110  a stop is rare, an event for it would not be
            await asyncio.sleep(0.01)

    @hookimpl
    def health(self) -> Health:
        """Warn where the log cannot be read, so that streams stand still."""
        if self._follower.staleness > _STALE:
            return Health("warn", "the log of events cannot be read")
        return Health("pass")

    @hookimpl
    def alert_rules(self) -> Sequence[AlertRule]:
        """Tell when clients miss events, events find no room, or the log cannot be read."""
        return (DROPPING, LOSING, UNREAD)

    @hookimpl
    def dashboards(self) -> Sequence[Board]:
        """Show streams, and what goes through them."""
        return (BOARD,)

    def _hear(self, event: Event) -> None:
        """Publish what the bus tells, unless a later instance of the same name does."""
        if self in current():
            self._hearing.hear(event)

    async def _beat(self) -> None:
        """Say something on streams that were silent, so that nobody in between takes them for dead."""
        while True:
            await asyncio.sleep(self._settings.heartbeat)
            for number, one in enumerate(self._hub):
                if one.silent and not one.busy and not one.waiting:
                    self._hub.say(one, b":\n\n" if one.kind == "sse" else "\n")
                one.silent = True
                if number % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(self._settings.recheck)
            for one in self._hub:
                one.recheck()
