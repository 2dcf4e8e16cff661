"""Narthex: an ASGI app in front of yours. The walk of one request, from top to bottom."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from operator import is_not
from pathlib import Path
from typing import Any, cast

from narthex import access, guards
from narthex.asgi import ASGIApp, Receive, Scope, Send
from narthex.chain import fold
from narthex.clock import Clock, SystemClock
from narthex.config import Config, load
from narthex.context import exchange_var
from narthex.dress import Dress, hand_back
from narthex.endpoint import serve_endpoint
from narthex.events import HouseStarted, HouseStopping
from narthex.exchange import Exchange, Hall
from narthex.frameworks import framework_of, own_root
from narthex.house import Estate
from narthex.lifespan import AppLifespan, Life, converse
from narthex.loader import build
from narthex.passage import INTENT_UNRECORDED, Passage, is_gone
from narthex.paths import odd_path
from narthex.plan import Plan
from narthex.proxies import TrustedProxies
from narthex.stages import StageRunner
from narthex.verdict import Answer, Deny

_NOT_STARTED = Deny(503, "not_started", "the house has not started", retry_after=1)
_passage_var: ContextVar[Passage] = ContextVar("narthex.passage")


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
        self.config = config if isinstance(config, Config) else load(config)
        settings = self.config.settings
        self._estate = estate = Estate(settings, self.config.directory, clock or SystemClock())
        built = build(self.config, estate)
        self.guests = built.guests
        self.chain = built.chain
        self.chain.own_root = own_root(app)
        self._app = app
        self._inside = fold(built.inside, app)
        self._outside = fold(built.outside, self._enter) if built.outside else None
        self._runner = StageRunner(estate.events, estate.metrics)
        self._hall = Hall(
            TrustedProxies(settings.trusted_proxies),
            estate.permissions,
            trusting=bool(settings.trusted_proxies),
            framework=framework_of(app),
            own_root=self.chain.own_root,
        )
        self._dress = Dress(settings.expose, identified=bool(self.chain.steps["authenticate"]))
        self._problem = settings.errors == "problem"
        self._until_expiry = settings.outlive == "token"
        self._monotonic = estate.clock.monotonic
        self._bare = self.chain.bare and self._outside is None and self._inside is app and not self._dress.needed
        self._bare = self._bare and not self._problem
        self._state: dict[str, Any] | None = None
        self._life = Life(self._units(), self._monotonic)
        self._empty = not self.guests and not settings.drive_lifespan  # nothing to start
        self._live = False  # an empty house is, for good, from its first start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request, websocket or lifespan."""
        kind = scope["type"]
        if kind != "http" and kind != "websocket":
            await self._other(scope, receive, send)
            return
        chain = self.chain
        plan = chain.plan(scope, kind)
        exchange = Exchange(scope, kind, plan, self._hall, self._monotonic())
        token = exchange_var.set(exchange)
        try:
            if self._live and self._bare and not guards.in_use:
                await self._app(scope, receive, send)
            else:
                await self._pass(exchange, plan, scope, receive, send)
        finally:
            exchange_var.reset(token)

    async def _pass(self, exchange: Exchange, plan: Plan, scope: Scope, receive: Receive, send: Send) -> None:
        """Walk, whatever happens observe, and let an app's exception go on to the server."""
        estate = self._estate
        if not self._live and not self._life.serving:
            plan = exchange.plan = await self._unstarted(plan)
        passage = Passage(
            exchange,
            receive,
            send,
            self._runner,
            estate.events,
            estate.clock.now,
            self._monotonic,
            self._until_expiry,
        )
        estate.live.add(passage)
        try:
            if plan.unserved:
                await passage.finish(_NOT_STARTED, passage.send)
            elif self._outside is None:
                await self._walk(passage, scope, passage.receive, passage.send)
            else:
                token = _passage_var.set(passage)
                try:
                    await self._outside(scope, passage.receive, passage.send)
                finally:
                    _passage_var.reset(token)
        except asyncio.CancelledError:
            if not passage.cancelled or not _uncancelled():
                raise
        except Exception as error:
            if not await self._settled(passage, error):
                raise
        finally:
            estate.live.discard(passage)
            passage.left()
            if exchange.ended is None:
                exchange.ended = self._monotonic()
            if plan.observe:
                await self._runner.observe(exchange, plan.observe)

    async def _unstarted(self, plan: Plan) -> Plan:
        """Before start-up has ended: liveness and readiness pass, anything else starts the house and waits.

        No hook of a plugin that has not started is called.
        """
        if plan.taken is not None and plan.taken.route.early:
            self._life.begin()  # a house that waits for its first request must not wait for it to pass a probe
            return Plan(open=True, quiet=plan.quiet, taken=plan.taken)
        return plan if await self._life.ensure() else Plan(unserved=True)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Where the outside wrappers lead to. What they made of the scope is what is judged."""
        passage = _passage_var.get()
        if self._life.serving:
            exchange = passage.exchange
            exchange.follow(scope, self.chain.plan(scope, exchange.kind))
        await self._walk(passage, scope, receive, send)

    async def _walk(self, passage: Passage, scope: Scope, receive: Receive, send: Send) -> None:
        """The stages in order; the first refusal or answer ends it."""
        exchange, runner = passage.exchange, self._runner
        plan = exchange.plan
        verdict: Deny | Answer | None = None
        if plan.guarded:
            verdict = self._odd(exchange, strict=plan.strict)
        if verdict is None and plan.admit:
            verdict = await runner.guard(exchange, plan.admit, forgive=False)
        if verdict is None and plan.authenticate:
            verdict = await runner.identify(exchange, plan.authenticate, forgive=plan.open)
        if verdict is None and plan.vet:
            verdict = await runner.guard(exchange, plan.vet, forgive=plan.open)
        if verdict is None:
            if plan.taken is not None:
                verdict = access.judge(exchange, plan.taken, exchange.permissions)
            elif plan.allowed_methods:
                verdict = access.wrong_method(plan.allowed_methods)
            elif plan.authorize:
                verdict = await runner.policies(exchange, plan.authorize, known=bool(plan.authenticate))
        if verdict is None and plan.witness and not await runner.witness(exchange, plan.witness):
            verdict = INTENT_UNRECORDED
        if verdict is None:
            await self._serve(passage, scope, receive, send)
            left = exchange.verdict
            if isinstance(left, Deny) and not passage.started and not passage.refused:
                await passage.finish(left, send)  # a guard refused, and the app caught it and said nothing
        else:
            await passage.finish(verdict, send)

    def _odd(self, exchange: Exchange, *, strict: bool) -> Deny | None:
        """Refuse what two parsers could read in two ways: odd paths, doubled credentials."""
        scope = exchange.app_scope
        why = odd_path(scope, self.chain.own_root) if strict else None
        if why is not None:
            return Deny(400, "odd_path", why)
        if exchange.kind == "http" and scope["method"].upper() == "WEBSOCKET":
            return Deny(400, "odd_method", "rules name websockets so")
        headers = exchange.headers
        if headers.repeated and len(headers.getlist("authorization")) > 1:
            return Deny(400, "credentials_ambiguous", "several Authorization fields")
        return None

    async def _serve(self, passage: Passage, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app, or a plugin's endpoint, answer; hand the keys it set back to the caller's scope."""
        exchange = passage.exchange
        if exchange.identity is not None:
            passage.bind(asyncio.current_task())
        taken = exchange.plan.taken
        if taken is not None:
            exchange.route = taken.path
            await serve_endpoint(taken, exchange, scope, receive, send)
            return
        if not self._dress.needed and self._state is None:
            await self._inside(scope, receive, send)
            return
        own = self._dress.scope(exchange, scope, self._state)
        exchange.app_scope = own
        worn = dict(own)
        try:
            await self._inside(own, receive, send)
        finally:
            if len(own) != len(worn) or any(map(is_not, own.values(), worn.values())):
                hand_back(own, worn, scope)

    async def _settled(self, passage: Passage, error: Exception) -> bool:
        """Whether the exception ends here; what the client gets is sent either way."""
        exchange = passage.exchange
        if passage.ended or is_gone(error):
            return True  # the app stumbled over an end that the house made
        deny = exchange.verdict
        if isinstance(deny, Deny):
            if not passage.started:
                await passage.finish(deny, passage.send)
            elif not passage.refused:
                await passage.cut()
            if guards.raised_by_guard(error):
                return passage.refused or passage.complete  # else the response had begun: the server must cut it
        exchange.error = error
        if passage.started:
            return False
        if self._problem:
            await passage.finish(Deny(500, "internal_error"), passage.send, record=False)
            return False
        exchange.status = 500
        witnesses = exchange.plan.witness
        if witnesses and not await self._runner.witness(exchange, witnesses):
            await passage.finish(Deny(503, "outcome_unrecorded", retry_after=1), passage.send)
        return False

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        estate = self._estate
        if scope["type"] == "lifespan":
            driven = estate.settings.drive_lifespan  # then the app's own is among our units
            app = _silent if driven else self._app
            await converse(scope, receive, send, app, self._life.start, self._life.close, self._look)
        else:
            await self._app(scope, receive, send)

    def _units(self) -> list[tuple[str, Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]]:
        """What starts and stops with the house, in order."""
        estate = self._estate
        starts = {instance: (call, wait) for instance, call, wait in estate.boot_hooks["start"]}
        stops = {instance: (call, wait) for instance, call, wait in estate.boot_hooks["stop"]}
        units = [
            ("the house", self._begin, _rest),
            *self._store_unit(),
            *(
                (f"plugin {guest.name}", _act(starts.get(guest.name)), _act(stops.get(guest.name)))
                for guest in self.guests
            ),
        ]
        if estate.settings.drive_lifespan:
            self._state = {}
            own = AppLifespan(
                self._app,
                {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state},
            )
            units.append(("the app's lifespan", own.startup, own.shutdown))
        units.append(("the app", self._look, _rest))
        units.append(("background tasks", self._open, self._close))
        return units

    def _store_unit(self) -> list[tuple[str, Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]]:
        """The store opens before the first plugin and closes after the last, where any plugin asked for it."""
        estate = self._estate
        tables = estate.tables()
        if not tables and not estate.stored:
            return []
        store = estate.store
        estate.boot_hooks["health"] = (*estate.boot_hooks["health"], ("store", store.health, True))
        return [("the store", lambda: store.start(tables), store.stop)]

    async def _begin(self) -> None:
        self._estate.tasks.forget()  # what an attempt to start before this one has asked for

    async def _look(self) -> None:
        """Refuse an app that serves a guarded function without its guard; what it registered until now counts."""
        guards.check_order(self._app)
        self._live = self._empty

    async def _open(self) -> None:
        estate = self._estate
        estate.tasks.start()
        estate.ready = True
        estate.events.publish(HouseStarted(plugins=tuple(guest.name for guest in self.guests)))

    async def _close(self) -> None:
        estate = self._estate
        estate.ready = False
        estate.events.publish(HouseStopping())
        await estate.tasks.stop()


async def _silent(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand for an app whose lifespan is driven already."""


def _act(hook: tuple[Callable[[], Any], bool] | None) -> Callable[[], Awaitable[None]]:
    async def act() -> None:
        if hook is not None:
            call, wait = hook
            given = call()
            if wait:
                await cast("Awaitable[Any]", given)

    return act


async def _rest() -> None:
    """Nothing to release."""


def _uncancelled() -> bool:
    """Take back the cancellation by which the house ended an exchange; False where others have cancelled it too."""
    task = asyncio.current_task()
    return task is None or task.uncancel() == 0
