"""Publishing: what is kept is on disk before it is told, what is not kept is told at once."""

import asyncio
from typing import Final

from narthex import House
from narthex_plugins.events.event import Published, make, new_mark
from narthex_plugins.events.following import Follower
from narthex_plugins.events.hub import Hub, call_soon
from narthex_plugins.events.log import EventRows
from narthex_plugins.events.rules import Rules

BURST: Final = 32
"""Events that a publisher may publish before streams are sent to: else what waits for them would only grow."""


class Publisher:
    """Publishes in the name of one process.

    Args:
        house: whose store and clock it is.
        rules: which topics are kept.
        hub: the streams of this process.
        rows: the logs.
        follower: hands on what is kept.
        origin: names this process among those that publish.
        largest: bytes an event may have.
    """

    def __init__(
        self, house: House, rules: Rules, hub: Hub, rows: EventRows, follower: Follower, origin: str, largest: int
    ) -> None:
        self._house = house
        self._store = house.store
        self._rules = rules
        self._hub = hub
        self._rows = rows
        self._follower = follower
        self._origin = origin
        self._largest = largest
        self._loop: asyncio.AbstractEventLoop | None = None
        self._published = house.metrics.counter(
            "narthex_event_stream_published_total", "Events published, by whether their topic is durable.", ("kept",)
        )
        self._lost = house.metrics.counter(
            "narthex_event_stream_lost_total",
            "Events that no other process, or nobody, will see: the store had no room, or the house too many.",
        )

    def begin(self) -> None:
        """Live on the running loop."""
        self._loop = asyncio.get_running_loop()

    def made(self, topic: str, data: object, key: str | None, request: str | None) -> Published:
        """An event of now.

        Raises:
            EventError: it cannot be published.
        """
        event = make(topic, data, key, self._house.clock.now(), request, self._largest)
        if self._rules.of(topic).durable:
            event.mark = new_mark()
        return event

    async def publish(self, event: Published) -> None:
        """Publish; a durable one is on disk when this returns, and has its id.

        Raises:
            DependencyError: the store does not take it.
        """
        if not event.mark:
            self.hand_on(event)
            if self._hub.burst >= BURST:
                self._hub.burst = 0
                await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        version = await self._store.write(self._rows.keeping(event))
        self._published.inc("durable")
        event.version = version
        if loop is self._loop:
            self._follower.wrote(version, event)
        elif self._loop is not None:
            call_soon(self._loop, self._follower.wrote, version, event)

    def publish_blocking(self, event: Published) -> None:
        """As `publish`, from a thread other than the event loop's."""
        if not event.mark:
            self.hand_on(event)
            return
        event.version = self._store.write_blocking(self._rows.keeping(event))
        self._published.inc("durable")
        if self._loop is not None:
            call_soon(self._loop, self._follower.wrote, event.version, event)

    def post(self, event: Published, fact: str = "") -> None:
        """Publish soon, without waiting; from any thread.

        Args:
            event: as `made` makes it.
            fact: something that every process tells of; of a durable topic it is kept once, a transient one stays in
                the process that tells it.
        """
        if not event.mark:
            self.hand_on(event, here=bool(fact))
            return
        taken = self._store.post(
            (lambda connection: self._rows.keep_once(connection, event, fact)) if fact else self._rows.keeping(event)
        )
        (self._published if taken else self._lost).inc(*(("durable",) if taken else ()))

    def lose(self) -> None:
        """Count an event that was left out."""
        self._lost.inc()

    def hand_on(self, event: Published, *, here: bool = False) -> None:
        """Hand a transient event to the streams of this process at once, and to those of the others soon."""
        self._published.inc("transient")
        self._hub.hand_on(event)
        if not here and not self._follower.alone and not self._store.post(self._rows.handing_on(event, self._origin)):
            self._lost.inc()
