"""The walk of one request under one configuration, from top to bottom.

A Walk is made when the house is built and once more at each reload; nothing in it changes afterwards, so an exchange
finishes on the one it began with.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

from narthex import access, guards
from narthex.asgi import ASGIApp, Receive, Scope, Send
from narthex.chain import fold
from narthex.config import Config
from narthex.costs import Costs
from narthex.dress import Dress, hand_back, written
from narthex.ending import is_gone
from narthex.endpoint import serve_endpoint
from narthex.exchange import Exchange, Hall
from narthex.frameworks import framework_of, own_root
from narthex.frameworks.templates import Templates
from narthex.house import Estate
from narthex.loader import Built
from narthex.passage import INTENT_UNRECORDED, Passage, Terms
from narthex.paths import KnownPaths
from narthex.plan import Asking, Plan
from narthex.proxies import TrustedProxies
from narthex.stages import Given, StageRunner, settled
from narthex.verdict import Answer, Deny

_NOT_STARTED: Final = Deny(503, "not_started", "the house has not started", retry_after=1)
_passage_var: ContextVar[Passage] = ContextVar("narthex.passage")


class Walk:
    """What one configuration makes of every exchange.

    Args:
        app: what all of it stands in front of.
        config: the configuration.
        built: what the loader made of it.
        estate: what it shares with the configurations before and after it.
        state: what the app's lifespan keeps, where the house drives it; else None.
        serving: whether every plugin has started.

    Attributes:
        bare: nothing at all stands between server and app.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: Config,
        built: Built,
        estate: Estate,
        state: dict[str, Any] | None,
        serving: Callable[[], bool],
    ) -> None:
        settings = config.settings
        self.config = config
        self.built = built
        self.chain = built.chain
        self.chain.own_root = own_root(app)
        self.hall = Hall(
            TrustedProxies(settings.trusted_proxies),
            built.tenancy.permissions,
            trusting=bool(settings.trusted_proxies),
            framework=framework_of(app),
            own_root=self.chain.own_root,
            templates=Templates(app),
        )
        self._paths = KnownPaths(self.chain.own_root)
        self._live = estate.live
        self._state = state
        self._serving = serving
        self._inside = fold(built.inside, app)
        self._outside = fold(built.outside, self._enter) if built.outside else None
        self._runner = StageRunner(estate.events, estate.metrics)
        self._metrics = estate.metrics
        self._costs = Costs(estate.metrics)
        self._ask: Mapping[Asking, Callable[[Exchange, Plan], Given]] = {
            "odd": self._odd,
            "admit": self._admit,
            "authenticate": self._authenticate,
            "vet": self._vet,
            "authorize": self._authorize,
            "witness": self._witness,
        }
        self._terms = Terms(
            self._runner,
            estate.events,
            estate.clock.now,
            estate.clock.monotonic,
            until_expiry=settings.outlive == "token",
        )
        self._dress = Dress(settings.expose, identified=bool(self.chain.steps["authenticate"]))
        self._dressed = self._dress.needed or state is not None
        self._problem = settings.errors == "problem"
        untouched = self._outside is None and self._inside is app and not self._dress.needed
        self.bare = self.chain.bare and untouched and not self._problem

    async def go(self, exchange: Exchange, plan: Plan, scope: Scope, receive: Receive, send: Send) -> Any:
        """Walk, whatever happens observe, and let an app's exception go on to the server.

        Returns:
            What the app returned: a server may complain of it.
        """
        given: Any = None
        passage = Passage(exchange, receive, send, self._terms)
        self._live.add(passage)
        try:
            if plan.unserved:
                await passage.finish(_NOT_STARTED, passage.send)
            elif self._outside is None:
                given = await self._walk(passage, scope, passage.receive, passage.send)
            else:
                token = _passage_var.set(passage)
                try:
                    given = await self._outside(scope, passage.receive, passage.send)
                    exchange.error = None  # a wrapper has made something of it
                finally:
                    _passage_var.reset(token)
            if passage.ending is not None and passage.ended:
                await passage.said()
        except asyncio.CancelledError:
            if not passage.cancelled or not _uncancelled():
                raise
        except Exception as error:
            if not await self._settled(passage, error):
                raise
        else:
            if passage.ending is not None and passage.cancelled:  # and the app has made nothing of it
                _uncancelled()
        finally:
            self._live.discard(passage)
            passage.left()
            if exchange.ended is None:
                exchange.ended = self._terms.monotonic()
            observers = exchange.plan.observe  # another plan by now, where its configuration was replaced
            if observers:
                await self._runner.observe(exchange, observers)
            # Its traceback holds this frame, and this frame the exchange: the connection would live until a collection.
            exchange.error = None
        return given

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Where the outside wrappers lead to. What they made of the scope is what is judged."""
        passage = _passage_var.get()
        if self._serving():
            exchange = passage.exchange
            exchange.follow(scope, self.chain.plan(scope, exchange.kind))
        return await self._walk(passage, scope, receive, send)

    async def _walk(self, passage: Passage, scope: Scope, receive: Receive, send: Send) -> Any:
        """The stages, and then the app, or a plugin's endpoint; hands the keys it set back to the caller's scope."""
        exchange = passage.exchange
        if self._metrics.sample and self._costs.due():
            exchange.plan = self._costs.timed(exchange.plan)
        verdict = self._judge(exchange, exchange.plan)
        if verdict is not None:
            verdict = await settled(verdict)
        if verdict is not None:
            await passage.finish(verdict, send)
            return None
        passage.task = asyncio.current_task()
        own = worn = scope
        heard = send if self._outside is None else passage.gate(send)
        if self._dressed and exchange.plan.taken is None:
            exchange.app_scope = own = self._dress.scope(exchange, scope, self._state)
            worn = dict(own)
        try:
            given = await self._serve(exchange, own, receive, heard)
        except Exception as error:
            if self._outside is None or not await self._refused(passage, error, send):
                raise
            given = None
        finally:
            if own is not worn and written(own, worn):
                hand_back(own, worn, scope)
        left = exchange.verdict
        if isinstance(left, Deny) and not passage.started and not passage.refused:
            given = None
            await passage.finish(left, send)  # a guard refused, and the app caught it and said nothing
        return given

    def _judge(self, exchange: Exchange, plan: Plan) -> Given:
        """The stages in order; the first refusal or answer ends it. A coroutine comes back only where a hook waits."""
        ask = self._ask
        left = iter(plan.asked)
        for stage in left:
            verdict = ask[stage](exchange, plan)
            if verdict is not None:
                return verdict if isinstance(verdict, (Deny, Answer)) else self._judge_later(verdict, left, exchange)
        return None

    async def _judge_later(self, waiting: Given, left: Iterator[Asking], exchange: Exchange) -> Deny | Answer | None:
        verdict = await settled(waiting)
        for stage in left:
            if verdict is not None:
                break
            verdict = await settled(self._ask[stage](exchange, exchange.plan))
        return verdict

    def _admit(self, exchange: Exchange, plan: Plan) -> Given:
        return self._runner.guard(exchange, plan.admit, forgive=False)

    def _authenticate(self, exchange: Exchange, plan: Plan) -> Given:
        return self._runner.identify(exchange, plan.authenticate, forgive=plan.open)

    def _vet(self, exchange: Exchange, plan: Plan) -> Given:
        return self._runner.guard(exchange, plan.vet, forgive=plan.open)

    def _authorize(self, exchange: Exchange, plan: Plan) -> Given:
        if plan.taken is not None:
            return access.judge(exchange, plan.taken, exchange.permissions)
        if plan.allowed_methods:
            return access.wrong_method(plan.allowed_methods)
        return self._runner.policies(exchange, plan.authorize, known=bool(plan.authenticate))

    async def _witness(self, exchange: Exchange, plan: Plan) -> Deny | None:
        return None if await self._runner.witness(exchange, plan.witness) else INTENT_UNRECORDED

    def _odd(self, exchange: Exchange, plan: Plan) -> Deny | None:
        """Refuse what two parsers could read in two ways: odd paths, doubled credentials."""
        scope = exchange.app_scope
        why = self._paths.odd(scope) if plan.strict else None
        if why is not None:
            return Deny(400, "odd_path", why)
        if exchange.kind == "http" and len(scope["method"]) == 9 and scope["method"].upper() == "WEBSOCKET":
            return Deny(400, "odd_method", "rules name websockets so")
        if exchange.names().repeated and len(exchange.headers.getlist("authorization")) > 1:
            return Deny(400, "credentials_ambiguous", "several Authorization fields")
        return None

    def _serve(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        """The app, or a plugin's endpoint, to be awaited."""
        taken = exchange.plan.taken
        if taken is None:
            return self._inside(scope, receive, send)
        exchange.route = taken.path
        return serve_endpoint(taken, exchange, scope, receive, send)

    async def _refused(self, passage: Passage, error: Exception, send: Send) -> bool:
        """Answer what a guard in the app has refused, so that wrappers outside see a refusal and no exception."""
        exchange = passage.exchange
        deny = exchange.verdict
        if isinstance(deny, Deny) and not passage.started and guards.raised_by_guard(error):
            await passage.finish(deny, send)
            return passage.refused
        exchange.error = error
        return False

    async def _settled(self, passage: Passage, error: Exception) -> bool:
        """Whether the exception ends here; what the client gets is sent either way."""
        exchange = passage.exchange
        if passage.ended or is_gone(error):
            await passage.said()
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


def _uncancelled() -> bool:
    """Take back the cancellation by which the house ended an exchange; False where others have cancelled it too."""
    task = asyncio.current_task()
    return task is None or task.uncancel() == 0
