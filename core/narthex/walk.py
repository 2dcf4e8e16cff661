"""The walk of one request under one configuration, from top to bottom.

A Walk is made when the house is built and once more at each reload; nothing in it changes afterwards, so an exchange
finishes on the one it began with.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
from narthex.paths import UNKNOWN, KnownPaths
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
        self._even, self._prefixed = self._paths.even, bool(self.chain.own_root)
        self._arrives, self._leaves = estate.live.add, estate.live.discard
        self._state = state
        self._serving = serving
        self._inside = fold(built.inside, app)
        self._outside = fold(built.outside, self._enter) if built.outside else None
        self._runner = StageRunner(estate.events, estate.metrics)
        self._metrics = estate.metrics
        self._costs = Costs(estate.metrics)
        self._ask: Mapping[Asking, Callable[[Exchange, Plan], Given]] = {
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
        self._slightly = self._dress.slight and state is None
        self._problem = settings.errors == "problem"
        untouched = self._outside is None and self._inside is app and not self._dress.needed
        self.bare = self.chain.bare and untouched and not self._problem

    async def go(  # noqa: C901, PLR0912  the usual way in one piece, as it says
        self, exchange: Exchange, plan: Plan, scope: Scope, receive: Receive, send: Send
    ) -> Any:
        """Walk, whatever happens observe, and let an app's exception go on to the server.

        All of the usual way stands in this one coroutine: each one more costs every request 0.1 µs and more.

        Returns:
            What the app returned: a server may complain of it.
        """
        given: Any = None
        passage = Passage(exchange, receive, send, self._terms)
        self._arrives(passage)
        try:
            if plan.unserved:
                await passage.finish(_NOT_STARTED, passage.send)
            elif self._outside is not None:
                given = await self._through(self._outside, passage, scope)
            elif (verdict := self._judge(exchange)) is not None and (verdict := await settled(verdict)) is not None:
                await passage.finish(verdict, passage.send)
            else:
                passage.task = asyncio.current_task()
                if self._dressed and exchange.plan.taken is None:
                    if self._slightly and not (exchange.names or exchange.look()).ours:
                        own = {**scope, "narthex.identity": exchange.identity}
                    else:
                        own = self._dress.scope(exchange, scope, self._state)
                    exchange.app_scope = own
                    worn = own.copy()
                    try:
                        given = await self._inside(own, passage.receive, passage.send)
                    finally:
                        if written(own, worn):
                            hand_back(own, worn, scope)
                else:
                    given = await self._serve(exchange, scope, passage.receive, passage.send)
                if exchange.refused_inside and await self._overheard(passage, passage.send):
                    given = None
            if passage.special and passage.ended:
                await passage.said()
        except asyncio.CancelledError:
            if not passage.cancelled or not _uncancelled():
                raise
        except Exception as error:
            if not await self._settled(passage, error):
                raise
        else:
            if passage.special and passage.cancelled:  # and the app has made nothing of it
                _uncancelled()
        finally:
            telling = self._left(passage)
            if telling is not None:
                await telling
            # Its traceback holds this frame, and this frame the exchange: the connection would live until a collection.
            exchange.error = None
        return given

    def _left(self, passage: Passage) -> Awaitable[None] | None:
        """The walk is over: observers hear of it. What comes back, where one of them waits, is to be awaited."""
        self._leaves(passage)
        passage.left()
        exchange = passage.exchange
        if exchange.ended is None:
            exchange.ended = self._terms.monotonic()
        plan = exchange.plan  # another by now, where its configuration was replaced
        if not plan.observe:
            return None
        if not plan.observed_at_once:
            return self._runner.observe(exchange, plan.observe)
        self._runner.observe_at_once(exchange, plan.observe)
        return None

    async def _through(self, outside: ASGIApp, passage: Passage, scope: Scope) -> Any:
        """Walk with the wrappers outside first, which lead to `_enter`."""
        token = _passage_var.set(passage)
        try:
            given = await outside(scope, passage.receive, passage.send)
            passage.exchange.error = None  # a wrapper has made something of it
        finally:
            _passage_var.reset(token)
        return given

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Where the outside wrappers lead to. What they made of the scope is what is judged."""
        passage = _passage_var.get()
        exchange = passage.exchange
        if self._serving():
            exchange.follow(scope, self.chain.plan(scope, exchange.kind))
        waiting = self._judge(exchange)
        verdict = None if waiting is None else await settled(waiting)
        if verdict is not None:
            await passage.finish(verdict, send)
            return None
        passage.task = asyncio.current_task()
        own: Scope = scope
        worn: dict[str, Any] | None = None
        heard = passage.gate(send)
        if self._dressed and exchange.plan.taken is None:
            dressed = self._dress.scope(exchange, scope, self._state)
            exchange.app_scope = own = dressed
            worn = dressed.copy()
        try:
            given = await self._serve(exchange, own, receive, heard)
        except Exception as error:
            if not await self._refused(passage, error, send):
                raise
            given = None
        finally:
            if worn is not None and written(own, worn):
                hand_back(own, worn, scope)
        return None if exchange.refused_inside and await self._overheard(passage, send) else given

    async def _overheard(self, passage: Passage, send: Send) -> bool:
        """Answer where a guard refused, and the app caught it and said nothing; whether it was so."""
        deny = passage.exchange.verdict
        if not isinstance(deny, Deny) or passage.started or passage.refused:
            return False
        await passage.finish(deny, send)
        return True

    def _judge(self, exchange: Exchange) -> Given:
        """The stages in order; the first refusal or answer ends it. A coroutine comes back only where a hook waits."""
        if self._metrics.sample and self._costs.due():
            exchange.plan = self._costs.timed(exchange.plan)
        plan, runner = exchange.plan, self._runner
        given: Given = None
        if plan.guarded and (given := self._odd(exchange, plan)) is not None:
            return given
        stage: Asking = "witness"
        if plan.admit and (given := runner.guard(exchange, plan.admit, forgive=False)) is not None:
            stage = "admit"
        elif (
            plan.authenticate and (given := runner.identify(exchange, plan.authenticate, forgive=plan.open)) is not None
        ):
            stage = "authenticate"
        elif plan.vet and (given := runner.guard(exchange, plan.vet, forgive=plan.open)) is not None:
            stage = "vet"
        elif plan.judged and (given := self._authorize(exchange, plan)) is not None:
            stage = "authorize"
        elif plan.witness:
            given = self._witness(exchange, plan)
        if given is None or isinstance(given, (Deny, Answer)):
            return given
        return self._judge_later(given, plan.asked[plan.asked.index(stage) + 1 :], exchange)

    async def _judge_later(self, waiting: Given, left: Sequence[Asking], exchange: Exchange) -> Deny | Answer | None:
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
        if plan.strict:
            scope = exchange.app_scope
            # What `KnownPaths.odd` does first, and nearly always: a call less.
            known = not self._prefixed and self._even.get(exchange.path, UNKNOWN) == scope.get("raw_path")
            why = None if known and not scope.get("root_path") else self._paths.odd(scope)
            if why is not None:
                return Deny(400, "odd_path", why)
        if len(exchange.method) == 9 and exchange.kind == "http" and exchange.method.upper() == "WEBSOCKET":
            return Deny(400, "odd_method", "rules name websockets so")
        if (exchange.names or exchange.look()).repeated and len(exchange.headers.getlist("authorization")) > 1:
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
