"""The walk of one request under one configuration, from top to bottom.

A Walk is made when the house is built and once more at each reload; nothing in it changes afterwards, so an exchange
finishes on the one it began with.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from operator import is_not
from typing import Any, Final

from narthex import access, guards
from narthex.asgi import ASGIApp, Receive, Scope, Send
from narthex.chain import fold
from narthex.config import Config
from narthex.dress import Dress, hand_back
from narthex.ending import is_gone
from narthex.endpoint import serve_endpoint
from narthex.exchange import Exchange, Hall
from narthex.frameworks import framework_of, own_root
from narthex.house import Estate
from narthex.loader import Built
from narthex.passage import INTENT_UNRECORDED, Passage, Terms
from narthex.paths import KnownPaths
from narthex.plan import Plan
from narthex.proxies import TrustedProxies
from narthex.stages import StageRunner
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
            app=app,
        )
        self._paths = KnownPaths(self.chain.own_root)
        self._live = estate.live
        self._state = state
        self._serving = serving
        self._inside = fold(built.inside, app)
        self._outside = fold(built.outside, self._enter) if built.outside else None
        self._runner = StageRunner(estate.events, estate.metrics)
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
        verdict = await self._judge(exchange, exchange.plan) if exchange.plan.judged else None
        if verdict is not None:
            await passage.finish(verdict, send)
            return None
        passage.task = asyncio.current_task()
        own = worn = scope
        if self._dressed and exchange.plan.taken is None:
            exchange.app_scope = own = self._dress.scope(exchange, scope, self._state)
            worn = dict(own)
        try:
            given = await self._serve(exchange, own, receive, send)
        finally:
            # What most apps set are new keys; only where there are none has each value to be looked at.
            if own is not worn and (len(own) != len(worn) or any(map(is_not, own.values(), worn.values()))):
                hand_back(own, worn, scope)
        left = exchange.verdict
        if isinstance(left, Deny) and not passage.started and not passage.refused:
            given = None
            await passage.finish(left, send)  # a guard refused, and the app caught it and said nothing
        return given

    async def _judge(self, exchange: Exchange, plan: Plan) -> Deny | Answer | None:
        """The stages in order; the first refusal or answer ends it."""
        runner = self._runner
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
        return verdict

    def _odd(self, exchange: Exchange, *, strict: bool) -> Deny | None:
        """Refuse what two parsers could read in two ways: odd paths, doubled credentials."""
        scope = exchange.app_scope
        why = self._paths.odd(scope) if strict else None
        if why is not None:
            return Deny(400, "odd_path", why)
        if exchange.kind == "http" and len(scope["method"]) == 9 and scope["method"].upper() == "WEBSOCKET":
            return Deny(400, "odd_method", "rules name websockets so")
        headers = exchange.headers
        if headers.repeated and len(headers.getlist("authorization")) > 1:
            return Deny(400, "credentials_ambiguous", "several Authorization fields")
        return None

    def _serve(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        """The app, or a plugin's endpoint, to be awaited."""
        taken = exchange.plan.taken
        if taken is None:
            return self._inside(scope, receive, send)
        exchange.route = taken.path
        return serve_endpoint(taken, exchange, scope, receive, send)

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
