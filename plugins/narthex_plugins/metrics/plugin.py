"""The metrics plugin: wiring only. What a request adds is in `requests`, where it is kept in `ledger` and `sheet`."""

import asyncio
import os
from collections.abc import Iterable
from typing import ClassVar

from narthex import PUBLIC, Exchange, House, Route, hookimpl
from narthex.alerting import AlertRule, Board
from narthex.hooks import Health
from narthex.measures import Figures
from narthex.paths import PathSet
from narthex_plugins.metrics import rules, vitals
from narthex_plugins.metrics.company import owner
from narthex_plugins.metrics.insight import Insight
from narthex_plugins.metrics.ledger import Ledger
from narthex_plugins.metrics.operations import OPERATIONS
from narthex_plugins.metrics.requests import Requests
from narthex_plugins.metrics.scrape import Scrape
from narthex_plugins.metrics.settings import MetricsSettings
from narthex_plugins.metrics.sheet import Sheet
from narthex_plugins.metrics.shelf import Shelf, find

_APART = "the workers' figures cannot be put together"
_BEAT = 1.0  # seconds between looks at what is watched


class Metrics:
    """Counts every exchange, keeps what plugins and the app count, and answers Prometheus for all workers."""

    name: ClassVar = "metrics"
    Settings: ClassVar = MetricsSettings

    def __init__(self, settings: MetricsSettings, house: House) -> None:
        self._settings = settings
        self._house = house
        self._exceptions = house.metrics.counter(
            "narthex_http_exceptions_total", "Exceptions that left the app.", ("method", "route", "exception")
        )
        self._lag = house.metrics.histogram(
            "narthex_event_loop_lag_seconds",
            "How late the event loop was at what was due once a second.",
            buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0),
        )
        vitals.watch(house)
        self._insight = Insight(self._poll)
        house.provide(Figures, self._insight)
        self._failure = False

    @hookimpl
    async def start(self) -> None:
        """Find the other workers, and count from here on."""
        settings, house = self._settings, self._house
        self._shelf = await asyncio.to_thread(self._find)
        directory = None if self._shelf is None else self._shelf.directory
        self._ledger = Ledger(lambda: Sheet(directory, self._failed), settings.series, settings.buckets)
        patterns = PathSet(settings.routes)
        self._requests = Requests(self._ledger, settings.buckets, patterns, self._exceptions, house.clock.now)
        self._insight.begin(self._ledger, self._shelf)
        self._scrape = Scrape(self._insight.rows, self._poll)
        house.metrics.attach(self._ledger, house.instance, sample=settings.sample)
        OPERATIONS.attach(self._ledger, f"{house.ordinal} {house.instance}")
        house.spawn(self._beat, "beat")

    @hookimpl
    async def stop(self) -> None:
        """Leave what was counted to the others."""
        self._poll()
        self._house.metrics.detach(self._ledger)
        OPERATIONS.detach(self._ledger)
        self._ledger.close()
        if self._shelf is not None:
            await asyncio.to_thread(self._shelf.close)

    @hookimpl
    def routes(self) -> Iterable[Route]:
        """The one endpoint."""
        return (
            Route(
                path=self._settings.path,
                endpoint=lambda request: self._scrape(request),  # noqa: PLW0108  made at start
                access=self._settings.permission or PUBLIC,
                at_root=True,
                summary="Figures for Prometheus.",
            ),
        )

    @hookimpl
    def alert_rules(self) -> Iterable[AlertRule]:
        """What is wrong where these figures say so."""
        return rules.rules(stored=bool(self._house.hooks("tables")))

    @hookimpl
    def dashboards(self) -> Iterable[Board]:
        """These figures, as graphs."""
        return rules.boards(stored=bool(self._house.hooks("tables")))

    @hookimpl
    def observe(self, exchange: Exchange) -> None:
        """Count an exchange that has ended. See `Requests.count` for its cost."""
        self._requests.count(exchange)

    @hookimpl
    def health(self) -> Health:
        """Warn where a scrape does not see every worker."""
        apart = self._failure or (self._shelf is not None and self._shelf.lost)
        return Health("warn", _APART) if apart else Health("pass")

    def _find(self) -> Shelf | None:
        """The shelf of this run, or None where nothing can be written; then each worker counts for itself."""
        house = self._house
        chosen = house.directory / self._settings.directory if self._settings.directory else None
        company = owner(self._settings.together)
        what = f"{house.directory} {house.instance} {house.ordinal}"
        shelf, errors = find(chosen, company, what)
        if shelf is None and company.pid != os.getpid():
            self._failure = True
            house.log.warning("%s, a scrape shows one of them: %s", _APART, "; ".join(errors))
        return shelf

    def _failed(self, error: OSError) -> None:
        self._failure = True
        self._house.log.warning("%s any more, a scrape shows new series of one alone: %s", _APART, error)

    def _poll(self) -> None:
        self._house.metrics.poll()
        OPERATIONS.poll()

    async def _beat(self) -> None:
        """Bring up to date what is watched; other workers read it of us."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _BEAT
            await asyncio.sleep(_BEAT)
            self._lag.observe(max(0.0, loop.time() - due))
            self._poll()
