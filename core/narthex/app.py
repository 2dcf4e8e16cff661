"""Narthex: an ASGI app in front of yours. Its life from boot to stop; what happens to one exchange is in `walk`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from narthex import guards
from narthex.asgi import ASGIApp, Receive, Scope, Send
from narthex.chain import Chain
from narthex.clock import Clock, SystemClock
from narthex.config import Config, load
from narthex.context import exchange_var
from narthex.draining import Draining
from narthex.errors import StartError
from narthex.events import HouseStarted, HouseStopping
from narthex.exchange import Exchange
from narthex.guests import Guest
from narthex.house import Estate, Room
from narthex.life import Act, Life, Unit
from narthex.lifespan import AppLifespan, converse
from narthex.loader import Built, build
from narthex.plan import Plan
from narthex.reload import Reloaded, Succession, digest
from narthex.walk import Walk


class Narthex:
    """Put the plugins of a configuration in front of any ASGI app.

    Args:
        app: the app, served unchanged.
        config: path of a TOML file, a mapping of its shape, a loaded Config, or None for a pass-through.
        clock: for tests that hold time still.

    Raises:
        BootError: the configuration cannot be followed. Nothing has been opened or started by then.

    Plugins start with the server's lifespan, or with the first request where none comes. Cost of a pass-through:
    an Exchange and a context variable, about a microsecond.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: str | Path | Mapping[str, Any] | Config | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        if not callable(app):
            raise TypeError(
                f"Narthex takes the app itself, not {app!r}: import it, or use `narthex run`, which takes its name"
            )
        config = config if isinstance(config, Config) else load(config)
        self._app = app
        self._estate = estate = Estate(config.settings, config.directory, clock or SystemClock())
        self._monotonic = estate.clock.monotonic
        self._state: dict[str, Any] | None = {} if config.settings.drive_lifespan else None
        self._life = Life(self._units, self._monotonic)
        self._draining = Draining(estate, self._life)
        self._succession: Succession | None = None
        self._reloading = asyncio.Lock()
        self._walk = self._walk_of(config, build(config, estate))
        self._live = False  # an empty house is, for good, from its first start

    @property
    def config(self) -> Config:
        """The configuration that new exchanges follow."""
        return self._walk.config

    @property
    def guests(self) -> tuple[Guest, ...]:
        """Its plugin instances, in file order."""
        return self._walk.built.guests

    @property
    def chain(self) -> Chain:
        """Its stages."""
        return self._walk.chain

    @property
    def digest(self) -> str:
        """Names the configuration by 16 hex digits; equal in every process that follows the same."""
        return digest(self.config, self._walk.built)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve one HTTP request, websocket or lifespan; what the app returns is passed on, servers look at it."""
        kind = scope["type"]
        if kind != "http" and kind != "websocket":
            await self._other(scope, receive, send)
            return None
        walk = self._walk
        plan = walk.chain.plan(scope, kind)
        exchange = Exchange(scope, kind, plan, walk.hall, self._monotonic())
        token = exchange_var.set(exchange)
        try:
            if self._live:
                if walk.bare and not guards.in_use:
                    return await self._app(scope, receive, send)
            elif not self._life.serving:
                plan = exchange.plan = await self._unstarted(plan)
            return await walk.go(exchange, plan, scope, receive, send)
        finally:
            exchange_var.reset(token)

    async def _unstarted(self, plan: Plan) -> Plan:
        """Before start-up has ended: liveness and readiness pass, anything else starts the house and waits.

        No hook of a plugin that has not started is called.
        """
        if plan.taken is not None and plan.taken.route.early:
            self._life.begin()  # a house that waits for its first request must not wait for it to pass a probe
            return Plan(open=True, quiet=plan.quiet, taken=plan.taken)
        return plan if await self._life.ensure() else Plan(unserved=True)

    # -- another configuration

    async def prepare(self, config: str | Path | Mapping[str, Any] | Config) -> Succession:
        """Build another configuration beside this one and start the plugins that are new in it; exchanges see nothing.

        The succession is then committed, or abandoned; preparing another abandons it.

        Raises:
            BootError: it cannot be followed, asks for what only a restart can change, or a plugin does not start.
                Everything is as before.
        """
        config = config if isinstance(config, Config) else load(config)
        if self._succession is not None:
            await self._succession.abandon()
        self._succession = Succession(self._walk, config, self._estate, self._life, self._unit, self._store_unit)
        try:
            await self._succession.prepare(self._walk_of)
        except BaseException:
            self._succession = None
            raise
        return self._succession

    def commit(self) -> Reloaded:
        """Let exchanges that begin from now on follow the configuration that was prepared.

        Raises:
            StartError: none was, or the house was stopped meanwhile.
        """
        succession, self._succession = self._succession, None
        if succession is None:
            raise StartError("no configuration is prepared: the house was stopped meanwhile, or this was not asked for")
        self._walk = succession.walk
        self._live = self._live and not self.guests
        self._life.arrange(self._rank)
        return succession.commit()

    async def abandon(self) -> None:
        """Let go of the configuration that was prepared, if any."""
        succession, self._succession = self._succession, None
        if succession is not None:
            await succession.abandon()

    async def reload(self, config: str | Path | Mapping[str, Any] | Config) -> Reloaded:
        """Follow another configuration from now on, without losing an exchange.

        A plugin whose table is the same keeps its instance. Exchanges under way finish on the configuration they began
        with; a plugin that is gone from it stops when the last of them has ended, or after `drain`.

        Raises:
            BootError: as `prepare`; everything is as before.
        """
        async with self._reloading:  # or one would commit what the other has prepared
            await self.prepare(config)
            return self.commit()

    async def hang_up(self, limit: float) -> None:
        """End every open socket and event stream, for a server that would cut them off when it stops."""
        await self._estate.live.hang_up(limit)

    def _walk_of(self, config: Config, built: Built) -> Walk:
        return Walk(self._app, config, built, self._estate, self._state, lambda: self._life.serving)

    # -- life

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            # Driven by us, the app's own lifespan is among the units.
            app = _silent if self._state is not None else self._app
            self._draining.told = True
            try:
                await converse(scope, receive, send, app, self._life.start, self._life.close, self._look)
            finally:
                self._draining.told = False
        else:
            await self._app(scope, receive, send)

    def _units(self) -> Sequence[Unit]:
        """What starts and stops with the house, in order."""
        units = [Unit("the house", self._begin, _rest)]
        if self._walk.built.tenancy.tables() or self._estate.stored:
            units.append(self._store_unit(self._walk.built))
        units += map(self._unit, self.guests)
        if self._state is not None:
            own = AppLifespan(
                self._app,
                {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state},
            )
            units.append(Unit("the app's lifespan", own.startup, own.shutdown))
        units.append(Unit("the app", self._look, _rest))
        units.append(Unit("background tasks", self._open, self._close))
        return units

    def _unit(self, guest: Guest) -> Unit:
        hooks = self._walk.built.tenancy.boot_hooks if self._succession is None else self._succession.boot_hooks
        start, stop = (
            _act(next(((call, wait) for instance, call, wait in hooks[hook] if instance == guest.name), None))
            for hook in ("start", "stop")
        )
        guest.room.unit = unit = Unit(f"plugin {guest.name}", start, stop)
        return unit

    def _store_unit(self, built: Built) -> Unit:
        """The store opens before the first plugin and closes after the last, where any plugin asked for it."""
        store = self._estate.store

        async def start() -> None:
            store.follow(self.digest)
            await store.start(built.tenancy.tables())

        return Unit("the store", start, store.stop)

    def _rank(self, unit: Unit) -> int:
        """The order of the file for plugins; those on their way out are released before they would be missed."""
        names = {"the house": -3, "the store": -2, "the app's lifespan": 10_000, "the app": 10_001}
        ranks = {id(guest.room.unit): number for number, guest in enumerate(self.guests)}
        return ranks.get(id(unit), names.get(unit.name, 10_002 if unit.name == "background tasks" else -1))

    async def _begin(self) -> None:
        for room in self._rooms():
            room.forget()  # what an attempt to start before this one has asked for

    async def _look(self) -> None:
        """Refuse an app that serves a guarded function without its guard; what it registered until now counts."""
        guards.check_order(self._app)
        self._live = not self.guests and self._state is None

    async def _open(self) -> None:
        for room in self._rooms():
            room.tasks.start()
        self._estate.tasks.start()
        self._estate.ready = True
        if self.guests:
            self._draining.listen()
        self._estate.events.publish(HouseStarted(plugins=tuple(guest.name for guest in self.guests)))

    async def _close(self) -> None:
        self._estate.ready = False
        await self._draining.end()
        self._estate.events.publish(HouseStopping())
        await self.abandon()
        for room in self._rooms():
            await room.tasks.stop()
        await self._estate.tasks.stop()

    def _rooms(self) -> list[Room]:
        return [guest.room for guest in self.guests]


async def _silent(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand for an app whose lifespan is driven already."""


def _act(hook: tuple[Callable[[], Any], bool] | None) -> Act:
    async def act() -> None:
        if hook is not None:
            call, wait = hook
            given = call()
            if wait:
                await cast("Awaitable[Any]", given)

    return act


async def _rest() -> None:
    """Nothing to release."""
