"""The audit plugin: what is made of the settings, and what starts and stops."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, ClassVar, Final

from narthex import Exchange, House, Route, hookimpl
from narthex.alerting import AlertRule, Board
from narthex.errors import DependencyError
from narthex.events import Event
from narthex.hooks import Health, may_wait
from narthex.sealing import sealer_of
from narthex.services import Decisions
from narthex.store import Tables
from narthex_plugins.audit.alerting import BOARD, DAMAGED, FILLING, LOST, REFUSED, counters, late, watch
from narthex_plugins.audit.app import SCRIBES
from narthex_plugins.audit.building import Builder
from narthex_plugins.audit.hearing import Hearing
from narthex_plugins.audit.keeping import Keeping
from narthex_plugins.audit.past import Past
from narthex_plugins.audit.pseudonyms import Pseudonyms
from narthex_plugins.audit.querying import Reader
from narthex_plugins.audit.queueing import NoteQueue
from narthex_plugins.audit.recording import Page, Said, Words, context_of, see
from narthex_plugins.audit.routes import Endpoints
from narthex_plugins.audit.selecting import Selection
from narthex_plugins.audit.settings import AuditSettings
from narthex_plugins.audit.signing import Checkpointer
from narthex_plugins.audit.tables import tables
from narthex_plugins.audit.trail import Trail
from narthex_plugins.audit.witnessing import Bounded, Strict, is_unkept, rest

_SWEEP: Final = 86_400.0


class Audit:
    """Records who did what, in a log that nobody can change unseen."""

    name: ClassVar = "audit"
    Settings: ClassVar = AuditSettings

    def __init__(self, settings: AuditSettings, house: House) -> None:
        self._house = house
        self._instance = house.instance
        self._store = store = house.store
        self._now = now = house.clock.now
        self._strict = settings.durability == "strict"
        self._waits = settings.full == "wait"
        self._records, self._lost, self._refused = counters(house.metrics)
        self._selection = Selection(settings, house.settings.prefix)
        sealer = sealer_of(house.settings, "audit", "the key that signs the log")
        names = Pseudonyms(house.instance, settings.pseudonyms, sealer) if settings.pseudonyms else None
        self._trail = trail = Trail(store, house.instance, house.clock, sealer, names)
        self._keeping = keeping = Keeping(trail, Builder(settings.claims), store, house.clock, self._kept)
        self._queue = queue = NoteQueue(keeping, settings.queue, settings.gather, self._lose, house.log)
        watch(house, queue, settings.queue)
        self._hearing = Hearing(settings, house.instance, self._selection, queue, now)
        if settings.events:
            house.events.subscribe(Event, self._hearing.hear)
        refuse = partial(self._refused.inc, house.instance)
        self._witness: Callable[[Exchange], Coroutine[Any, Any, None] | None]
        if self._strict:
            self._witness = Strict(self._hearing, self._selection, keeping, now, refuse).witness
        else:
            self._witness = Bounded(self._selection, queue, refuse).witness
            if self._waits and type(self).witness is Audit.witness:
                self.__dict__["witness"] = None  # no hook of this instance, so that it costs a request nothing
        self._checkpointer = Checkpointer(house, trail, settings.checkpoints, settings.retention)
        self._every = settings.checkpoints.every
        self._reader = reader = Reader(store, house.instance, names)
        self._endpoints = Endpoints(settings, reader)
        house.provide(Decisions, Past(reader))

    @hookimpl
    def tables(self) -> Tables:
        """Give the tables of the log."""
        return tables

    @hookimpl
    def routes(self) -> Sequence[Route]:
        """Give the endpoints."""
        return self._endpoints.routes()

    @hookimpl
    async def start(self) -> None:
        """Begin the log where there is none, and a chain of this process."""
        await self._trail.start()
        self._checkpointer.begin()
        self._queue.start(self._instance)
        SCRIBES.append(self)
        self._house.spawn(self._checkpointer.run, "checkpoints")
        self._house.spawn(self._sweep, "sweep")

    @hookimpl
    async def stop(self) -> None:
        """Write what waits, for some seconds at most."""
        if self in SCRIBES:
            SCRIBES.remove(self)
        await asyncio.to_thread(self._queue.stop)
        await self._checkpointer.stop()

    @hookimpl
    def health(self) -> Health:
        """Fail where the log was changed; warn while records wait for the store, after some were lost."""
        signing = self._checkpointer.health()
        if signing.status == "fail":
            return signing
        if self._queue.since is not None:
            return Health("warn", "audit records wait: the store does not take them")
        return Health("warn", "audit records were lost") if self._queue.lost else signing

    @hookimpl
    def alert_rules(self) -> Sequence[AlertRule]:
        """Tell when records are lost, requests refused, the queue fills, nothing is signed, or the log was changed."""
        return (LOST, REFUSED, FILLING, DAMAGED, late(self._every))

    @hookimpl
    def dashboards(self) -> Sequence[Board]:
        """Show what is written, and what waits."""
        return (BOARD,)

    @hookimpl
    @may_wait
    def witness(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Keep the intent before the app is asked, and the outcome before its answer leaves; see `Strict`.

        Batched, refuse a request whose record would find the queue full.
        """
        return self._witness(exchange)

    @hookimpl
    async def observe(self, exchange: Exchange) -> None:
        """Take down a finished exchange. Cost: about 3 µs; it waits only where the queue is full."""
        page: Page | None = exchange.state.get(self._instance)
        if page is not None:
            for note in rest(exchange, page, self._selection, self._now()):
                self._queue.put(note)
        elif self._selection.after(exchange) and not is_unkept(exchange):
            self._queue.put(see(exchange, self._now()))
        else:
            return
        if self._waits and self._queue.full:
            await self._queue.room()

    def serves(self, exchange: Exchange) -> bool:
        """As `app.Scribe` has it."""
        return self._hearing.serves(exchange)

    def say(self, exchange: Exchange | None, words: Words) -> None:
        """As `app.Scribe` has it.

        Raises:
            DependencyError: the queue is full, and the settings say that requests are refused then.
        """
        said = Said(self._now(), words, *context_of(exchange))
        if exchange is not None and self._strict:
            page = self._hearing.page(exchange)
            if not page.outcome:
                page.said.append(said)
                return
        if not self._waits and self._queue.full:
            self._refused.inc(self._instance)
            raise DependencyError("too many audit records wait to be written", retry_after=1)
        self._queue.put(said)

    @property
    def trail(self) -> Trail:
        """What puts records into the log."""
        return self._trail

    @asynccontextmanager
    async def visited(self) -> AsyncGenerator[Reader]:
        """What reads the log, with the store open and nothing started: for commands.

        Raises:
            StartError: the store cannot be opened.
        """
        async with self.opened() as reader:
            if self._trail.pseudonyms is not None:
                await self._trail.look()  # by the log's keys people are found
            yield reader

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Reader]:
        """As `visited`, where the log's keys cannot be opened yet."""
        await self._store.start()
        try:
            yield self._reader
        finally:
            await self._store.stop()

    def _kept(self, count: int, how: str) -> None:
        self._records.inc(self._instance, how, by=count)

    def _lose(self, count: int) -> None:
        self._lost.inc(self._instance, by=count)

    async def _sweep(self) -> None:
        while True:
            with suppress(DependencyError):  # the next one will do
                await self._store.write(self._keeping.forget)
            await asyncio.sleep(_SWEEP)
