"""The notifications plugin: what is made of the settings, and what starts and stops."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import ClassVar, Final

from sqlalchemy import Connection

from narthex import House, Route, hookimpl
from narthex.alerting import AlertRule, Board
from narthex.errors import DependencyError
from narthex.events import Event
from narthex.hooks import Health
from narthex.store import Tables
from narthex_plugins.notifications.alerting import BOARD, CLOSED, DEAD, LATE, Meters
from narthex_plugins.notifications.app import DESKS, NotifyError, Words
from narthex_plugins.notifications.building import channels, templates
from narthex_plugins.notifications.courier import Courier, Told, Tools
from narthex_plugins.notifications.events import NotificationDead, NotificationSent
from narthex_plugins.notifications.looking import Depth, depth
from narthex_plugins.notifications.mailbox import checked
from narthex_plugins.notifications.operating import Office
from narthex_plugins.notifications.queue import SWEPT, Job, New, Queue, new_id
from narthex_plugins.notifications.routes import Endpoints
from narthex_plugins.notifications.ruling import Ruling
from narthex_plugins.notifications.sending import Outcome
from narthex_plugins.notifications.settings import NotificationsSettings
from narthex_plugins.notifications.tables import tables

_SWEEP: Final = 3600.0
_BATCHES: Final = 100
_MEASURE: Final = 15.0
_LATE: Final = 300.0


class Notifications:
    """Tells people and programs what they must know."""

    name: ClassVar = "notifications"
    Settings: ClassVar = NotificationsSettings

    def __init__(self, settings: NotificationsSettings, house: House) -> None:
        self._house = house
        self._settings = settings
        self._store = house.store
        self._topic = f"notifications:{house.instance}"
        self._channels = settings.channels()
        paces = {name: one.pace() for name, one in self._channels.items()}
        self._templates = templates(settings, house)
        self._queue = Queue(house.instance, house.clock, paces, settings.lease())
        self._meters = Meters(house.metrics)
        self._depth = Depth({}, 0.0, frozenset())
        sending = channels(settings, house)
        tools = Tools(self._queue, settings.lease(), sending, paces, self._templates, self._told, self._buried)
        self._courier = Courier(house, tools, settings.workers, settings.poll)
        self._office = Office(house, self._queue, self.put, self._announce, settings)
        self._endpoints = Endpoints(settings, self._office, house)
        if settings.rules:
            ruling = Ruling(settings.rules, house.clock.now, self._post, self._lose)
            house.events.subscribe(Event, ruling.hear)

    @hookimpl
    def tables(self) -> Tables:
        """Give the tables of the queue."""
        return tables

    @hookimpl
    def routes(self) -> Sequence[Route]:
        """Give the endpoints and the page."""
        return self._endpoints.routes()

    @hookimpl
    async def start(self) -> None:
        """Take notifications, and deliver them where the settings say so."""
        DESKS.append(self)
        if self._settings.deliver and self._channels:
            self._house.link.subscribe(self._topic, self._courier.wake)
            self._house.spawn(self._courier.run, "deliver")
        self._house.spawn(self._look_after, "look after")

    @hookimpl
    async def stop(self) -> None:
        """Let what is under way end, and give the rest back."""
        if self in DESKS:
            DESKS.remove(self)
        await self._courier.stop()

    @hookimpl
    def health(self) -> Health:
        """Warn where a channel is left alone, or notifications wait for minutes."""
        if self._depth.closed:
            return Health("warn", f"left alone after failures: {', '.join(sorted(self._depth.closed))}")
        if self._depth.late > _LATE:
            return Health("warn", f"notifications have been due for {self._depth.late:.0f} s")
        return Health("pass")

    @hookimpl
    def alert_rules(self) -> Sequence[AlertRule]:
        """Tell when notifications are given up, wait, or a channel is left alone."""
        return (DEAD, LATE, CLOSED)

    @hookimpl
    def dashboards(self) -> Sequence[Board]:
        """Show what waits, and what is tried."""
        return (BOARD,)

    # -- app.Desk

    def has(self, channel: str) -> bool:
        """As `app.Desk` has it."""
        return channel in self._channels

    @property
    def place(self) -> tuple[int, str]:
        """As `app.Desk` has it."""
        return (self._house.ordinal, self._house.instance)

    def put_in(self, connection: Connection, words: Words) -> str:
        """As `app.Desk` has it."""
        return self._queue.add(connection, self._new(words))

    def put_blocking(self, words: Words) -> str:
        """As `app.Desk` has it."""
        new = self._new(words)
        return self._store.write_blocking(lambda connection: self._add(connection, new))

    async def put(self, words: Words) -> str:
        """As `app.Desk` has it."""
        new = self._new(words)
        return await self._store.write(lambda connection: self._add(connection, new))

    def _post(self, words: Words) -> bool:
        new = self._new(words)
        return self._store.post(lambda connection: self._add(connection, new))

    def _add(self, connection: Connection, new: New) -> str:
        found = self._queue.add(connection, new)
        self._announce(connection)
        return found

    def _announce(self, connection: Connection) -> None:
        self._house.link.announce(connection, self._topic)

    def _new(self, words: Words) -> New:
        pace = self._channels.get(words.channel)
        if pace is None:
            raise NotifyError(f"there is no channel {words.channel!r}")
        if words.template not in self._templates.names:
            raise NotifyError(f"there is no template {words.template!r}")
        if words.to is not None and words.channel not in self._settings.email:
            raise NotifyError(f"channel {words.channel!r} sends no e-mail, and takes no addresses")
        for one in words.receivers():
            try:
                checked(one)
            except ValueError as error:
                raise NotifyError(str(error)) from None
        now = self._house.clock.now()
        return New(
            id=new_id(now),
            channel=words.channel,
            template=words.template,
            data=words.data,
            created=now,
            due=now if words.not_before is None else words.not_before,
            allowed=pace.attempts,
            recipients=words.to,
            dedup_key=words.dedup_key,
            request_id=words.request_id,
        )

    # -- what is told

    def _told(self, job: Job, status: Told, outcome: Outcome, duration: float) -> None:
        instance, log = self._house.instance, self._house.log
        self._meters.attempts.inc(instance, job.channel, status)
        facts = {"instance": instance, "id": job.id, "channel": job.channel, "template": job.template}
        if status == "sent":
            self._meters.latency.observe(max(0.0, self._house.clock.now() - job.created), instance, job.channel)
            event = NotificationSent(**facts, request_id=job.request_id, attempt=job.attempt)
            self._house.events.publish(event)
            return
        log.warning(
            "notification %s by %s: attempt %d failed after %.1f s: %s",
            job.id, job.channel, job.attempt, duration, outcome.error,
        )  # fmt: skip
        if status == "dead":
            self._meters.dead.inc(instance, job.channel)
            log.error("notification %s by %s was given up", job.id, job.channel)
            self._house.events.publish(NotificationDead(**facts, request_id=job.request_id, error=outcome.error))

    def _buried(self, channel: str, id_: str) -> None:
        instance = self._house.instance
        self._meters.dead.inc(instance, channel)
        self._house.log.error("notification %s by %s was given up: its workers died", id_, channel)
        self._house.events.publish(
            NotificationDead(instance=instance, id=id_, channel=channel, error="its workers died")
        )

    def _lose(self, event: Event, why: str) -> None:
        self._meters.lost.inc(self._house.instance)
        self._house.log.error("event %s became no notification: %s", event.topic, why)

    # -- in the background

    async def _look_after(self) -> None:
        """Measure the queue every 15 s, and take away what is old every hour."""
        loop = asyncio.get_running_loop()
        swept = 0.0
        while True:
            with suppress(DependencyError):
                self._depth = found = await self._store.read(
                    lambda connection: depth(connection, self._queue, self._house.clock)
                )
                self._measure(found)
                if not swept or loop.time() - swept > _SWEEP:
                    swept = loop.time()
                    await self._sweep()
            await asyncio.sleep(_MEASURE)

    def _measure(self, found: Depth) -> None:
        instance = self._house.instance
        for name in self._channels:
            self._meters.closed.set(float(name in found.closed), instance, name)
            for status in ("queued", "sending", "failed", "dead"):
                self._meters.depth.set(found.counts.get((name, status), 0), instance, name, status)
        self._meters.late.set(found.late, instance)

    async def _sweep(self) -> None:
        keep, dead = self._settings.keep, self._settings.keep_dead
        for _ in range(_BATCHES):
            if await self._store.write(lambda connection: self._queue.sweep(connection, keep, dead)) < SWEPT:
                return
            await asyncio.sleep(0.1)  # others write too

    # -- for commands

    @asynccontextmanager
    async def visited(self) -> AsyncGenerator[tuple[Office, Courier]]:
        """What looks into the queue and delivers, with the store open and nothing started: for commands.

        Raises:
            StartError: the store cannot be opened.
        """
        await self._store.start()
        try:
            yield self._office, self._courier
        finally:
            await self._courier.stop()
            await self._store.stop()
