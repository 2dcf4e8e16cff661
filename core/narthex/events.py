"""Typed core events and the bus that carries them within one process.

An event is a fact that has happened. Publishing never fails and never waits: a plain subscriber is called at once
and its fault is logged; an `async` one gets its events in order from a bounded queue of its own.
"""

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from narthex.metrics import Instrument, Metrics
from narthex.tasks import Tasks

_log = logging.getLogger("narthex.events")

QUEUE = 1000  # events a slow async subscriber may fall behind before the oldest are dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact. Subclass it as a frozen dataclass and give it a `topic`, under which it can be streamed.

    Attributes:
        topic: under which it can be streamed.
        told_by: where every process of the deployment publishes the same fact: the fields by which it is known again,
            for those who act once. Empty where only one process publishes it.
    """

    topic: ClassVar[str] = "event"
    told_by: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseStarted(Event):
    """Every plugin has started."""

    topic: ClassVar[str] = "narthex.started"
    plugins: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseReloaded(Event):
    """Another configuration is followed from now on; the names are those of plugin instances."""

    topic: ClassVar[str] = "narthex.reloaded"
    digest: str
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseStopping(Event):
    """The house is about to release its plugins."""

    topic: ClassVar[str] = "narthex.stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRefused(Event):
    """An exchange was refused, or would have been where `shadow` is true."""

    topic: ClassVar[str] = "narthex.refused"
    exchange_id: str
    method: str
    path: str
    client: str | None
    subject: str | None
    status: int
    code: str
    reason: str
    rule: str
    plugin: str
    where: str
    shadow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFailed(Event):
    """A plugin's hook raised, ran out of time or returned nonsense."""

    topic: ClassVar[str] = "narthex.hook_failed"
    exchange_id: str
    plugin: str
    hook: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeClosed(Event):
    """A long-lived exchange was ended by the house."""

    topic: ClassVar[str] = "narthex.closed"
    exchange_id: str
    subject: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFired(Event):
    """Something is wrong for so long that somebody should know. `key` is the same for as long as it lasts."""

    topic: ClassVar[str] = "narthex.alert.fired"
    key: str
    name: str
    severity: str
    summary: str
    value: float
    above: float
    runbook: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertResolved(Event):
    """It is over; `seconds` is how long it had been fired."""

    topic: ClassVar[str] = "narthex.alert.resolved"
    key: str
    name: str
    severity: str
    summary: str
    seconds: float
    runbook: str


E_ = TypeVar("E_", bound=Event)
Unsubscribe = Callable[[], None]
Subscription = tuple[type[Event], Callable[[Event], None]]


class EventBus:
    """Publish and subscribe within the process. Subscribing to a class subscribes to its subclasses too."""

    def __init__(
        self, tasks: Tasks, metrics: Metrics | None = None, subscribers: list[Subscription] | None = None
    ) -> None:
        self._tasks = tasks
        self._metrics = metrics or Metrics()
        self._dropped = self._metrics.counter(
            "narthex_events_dropped_total", "Events that a subscriber was too slow for.", ("topic",)
        )
        self._subscribers: list[Subscription] = [] if subscribers is None else subscribers
        self._own: list[Unsubscribe] = []
        self._lasting = 0

    def view(self, tasks: Tasks) -> "EventBus":
        """The same bus for one plugin, whose subscriptions end together and run among `tasks`; core's own."""
        return EventBus(tasks, self._metrics, self._subscribers)

    def built(self) -> None:
        """Subscriptions made until now last as long as the plugin; core's own."""
        self._lasting = len(self._own)

    def forget(self) -> None:
        """End the subscriptions of the life before this one; core's own."""
        own, self._own = self._own[self._lasting :], self._own[: self._lasting]
        for unsubscribe in own:
            unsubscribe()

    def close(self) -> None:
        """End every subscription made here; core's own."""
        self._lasting = 0
        self.forget()

    def wanted(self, kind: type[Event]) -> bool:
        """Whether anyone would receive an event of `kind`, so that it need not be made for nobody."""
        return any(issubclass(kind, wanted) for wanted, _ in self._subscribers)

    def publish(self, event: Event) -> None:
        """Tell every subscriber. Cost: one call each; safe from any thread."""
        for wanted, deliver in tuple(self._subscribers):
            if isinstance(event, wanted):
                try:
                    deliver(event)
                except Exception:  # noqa: BLE001  whatever a subscriber raises
                    _log.exception("a subscriber to %s failed", event.topic)

    def subscribe(self, kind: type[E_], handler: Callable[[E_], Awaitable[None] | None]) -> Unsubscribe:
        """Call `handler` with every event of `kind` from now on; the returned function ends that."""
        deliver: Callable[[Event], None]
        if inspect.iscoroutinefunction(handler):
            mailbox = _Mailbox(handler, self._dropped)
            end = self._tasks.spawn(mailbox.run, f"subscriber {getattr(handler, '__qualname__', handler)}")
            deliver = mailbox.put
        else:
            end = _nothing
            deliver = handler  # type: ignore[assignment]  # kind is checked at delivery
        entry: Subscription = (kind, deliver)
        self._subscribers.append(entry)

        def unsubscribe() -> None:
            if entry in self._subscribers:
                self._subscribers.remove(entry)
                end()

        self._own.append(unsubscribe)
        return unsubscribe


def _nothing() -> None:
    """A plain subscriber has no task to end."""


class _Mailbox:
    """The queue between the bus and one async subscriber."""

    def __init__(self, handler: Callable[..., Awaitable[None]], dropped: Instrument) -> None:
        self._handler = handler
        self._dropped = dropped
        self._events: deque[Event] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()

    def put(self, event: Event) -> None:
        if len(self._events) >= QUEUE:
            self._events.popleft()
            self._dropped.inc(event.topic)
            _log.warning("a subscriber to %s is too slow: its oldest event was dropped", event.topic)
        self._events.append(event)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        while True:
            while self._events:
                await self._handler(self._events.popleft())
            self._wake.clear()
            if not self._events:
                await self._wake.wait()
