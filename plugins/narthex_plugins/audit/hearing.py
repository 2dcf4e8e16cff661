"""Which events are recorded, and how: by themselves, or as what the request was that they happened in."""

from collections.abc import Callable
from typing import Final

from narthex import Exchange
from narthex.context import current_exchange
from narthex.events import Event, ExchangeRefused, HookFailed
from narthex_plugins.audit.queueing import NoteQueue
from narthex_plugins.audit.recording import Page, hear
from narthex_plugins.audit.selecting import Selection
from narthex_plugins.audit.settings import AuditSettings

_CORE: Final = "narthex."


class Hearing:
    """Takes down events.

    A login is an event and a request; it is one record, with the action of the event; in strict mode two, on disk at
    once. What every process tells of, and what core tells, is a record of its own.

    Args:
        settings: of the plugin.
        instance: its name.
        selection: which requests are recorded.
        queue: where notes go.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        settings: AuditSettings,
        instance: str,
        selection: Selection,
        queue: NoteQueue,
        now: Callable[[], float],
    ) -> None:
        self._silent = frozenset(settings.silent)
        self._below = tuple(f"{topic}." for topic in settings.silent)
        self._strict = settings.durability == "strict"
        self._instance = instance
        self._selection = selection
        self._queue = queue
        self._now = now

    def hear(self, event: Event) -> None:
        """Take an event down. Called by the bus, on whichever thread published it."""
        if isinstance(event, ExchangeRefused) or self._is_silent(event.topic):
            return  # a refusal is a request, and recorded as one
        if isinstance(event, HookFailed) and event.plugin == self._instance:
            return  # that the log cannot be written is not for the log
        exchange = current_exchange()
        if exchange is not None and not self.serves(exchange):
            exchange = None
        if exchange is not None and self._names(event, exchange):
            page = self.page(exchange)
            if self._strict and not page.outcome:  # what was intended has one name, before and after
                page.said.append(hear(exchange, self._now(), event))
                return
            if page.event is None and not self._strict:
                page.event = event
                return
        self._queue.put(hear(exchange, self._now(), event))

    def serves(self, exchange: Exchange) -> bool:
        """Whether the exchange goes by a plan with this plugin in it."""
        return any(step.instance == self._instance for step in exchange.plan.observe)

    def known(self, exchange: Exchange) -> Page | None:
        """What goes with an exchange, if anything does."""
        page: Page | None = exchange.state.get(self._instance)
        return page

    def page(self, exchange: Exchange) -> Page:
        """What goes with an exchange; a new page where nothing does."""
        page = self.known(exchange)
        if page is None:
            page = exchange.state[self._instance] = Page()
        return page

    def _is_silent(self, topic: str) -> bool:
        return topic in self._silent or topic.startswith(self._below)

    def _names(self, event: Event, exchange: Exchange) -> bool:
        """Whether an event says what the request is, which will be recorded."""
        if event.told_by or event.topic.startswith(_CORE):
            return False
        return self._selection.before(exchange)
