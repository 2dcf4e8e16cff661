"""What would become of a request that nobody sent, for an identity that is given.

Who may do what is a matter of request and identity alone, so the policies are asked as they stand: the real `authorize`
hooks, on an exchange made by hand. That is the contract of `authorize`: it decides, and does nothing else; what is to
be counted, core counts. The other guards judge what a rehearsal does not have (an address, a credential, how often
somebody came), and may take note of it, so they are named and not asked. Nothing is counted, logged or published.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from inspect import iscoroutine
from typing import Any, Final
from urllib.parse import unquote

from narthex import access
from narthex.asgi import Scope
from narthex.chain import Chain, Kind
from narthex.errors import DependencyError
from narthex.events import EventBus
from narthex.exchange import Exchange, Hall
from narthex.identity import Identity
from narthex.metrics import Metrics
from narthex.paths import odd_path
from narthex.plan import Plan, Step
from narthex.proxies import TrustedProxies
from narthex.services import Permissions
from narthex.stages import StageRunner, settled
from narthex.tasks import Tasks
from narthex.timed import timed
from narthex.verdict import Allow, Answer, Deny, Verdict

_BEFORE: Final = ("admit", "authenticate", "vet")
_WHY_NOT: Final = {
    "admit": "not asked: it judges what a real request brings",
    "authenticate": "not asked: the identity is given",
    "vet": "not asked: it judges what a real request brings",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A guard or policy on the way, and what it said.

    Attributes:
        step: the hook.
        verdict: what it answered; None where it had nothing to say, or was not asked.
        note: why it was not asked, or why what it said changes nothing; else "".
        missed: it would decide, and could not be asked.
    """

    step: Step
    verdict: Verdict | None = None
    note: str = ""
    missed: bool = False


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would become of a request.

    Attributes:
        method, target: as asked.
        identity: who would ask, or None for an anonymous caller.
        plan: what applies to the path.
        asked: the guards and policies on the way, in order.
        verdict: the Deny or Answer that would end it, the Allow, or None where nobody has anything against it.
        by: whose verdict it is: a plugin's instance, or "core".
        known: whether that is all; False where it hangs on a policy that could not be asked.
    """

    method: str
    target: str
    identity: Identity | None
    plan: Plan
    asked: tuple[Asked, ...]
    verdict: Verdict | None
    by: str = "core"
    known: bool = True

    @property
    def allowed(self) -> bool:
        """Whether the request would be let through, as far as policies go."""
        return self.known and (self.verdict is None or isinstance(self.verdict, Allow))


def scope_of(method: str, target: str) -> Scope:
    """The scope of a request without headers.

    Args:
        method: an HTTP method, or WEBSOCKET.
        target: the path below the app's mount point, percent-encoded as it would be sent, and a query.
    """
    raw, _, query = target.partition("?")
    socket = method.upper() == "WEBSOCKET"
    return {
        "type": "websocket" if socket else "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method.upper(),
        "scheme": "ws" if socket else "http",
        "path": unquote(raw),
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [],
        "client": None,
        "server": None,
        "subprotocols": [],
    }


async def rehearse(
    chain: Chain,
    permissions: Permissions,
    method: str,
    target: str,
    identity: Identity | None,
    *,
    running: bool,
) -> Rehearsal:
    """Ask what would become of a request.

    Args:
        chain: of the configuration.
        permissions: who may what, for plugins' endpoints.
        method: an HTTP method, or WEBSOCKET.
        target: path and query, as they would be sent.
        identity: who would ask, or None for an anonymous caller.
        running: whether the plugins have been started; else async policies are not asked.
    """
    scope = scope_of(method, target)
    kind: Kind = "websocket" if scope["type"] == "websocket" else "http"
    plan = chain.plan(scope, kind)
    asked = [Asked(step, note=_WHY_NOT[stage]) for stage in _BEFORE for step in getattr(plan, stage)]
    why = odd_path(scope, chain.own_root) if plan.strict else None
    if why is not None:
        return Rehearsal(method, target, identity, plan, (), Deny(400, "odd_path", why))
    hall = Hall(TrustedProxies(()), lambda: permissions, own_root=chain.own_root)
    exchange = Exchange(scope, kind, plan, hall, 0.0)
    exchange.identity = identity
    if plan.taken is not None:
        deny = access.judge(exchange, plan.taken, permissions)
        return Rehearsal(method, target, identity, plan, tuple(asked), deny)
    if plan.allowed_methods:
        wrong = access.wrong_method(plan.allowed_methods)
        return Rehearsal(method, target, identity, plan, tuple(asked), wrong)
    said = [await _ask(step, exchange, running=running) for step in plan.authorize]
    verdict, by = await _combined(said, exchange, known=bool(plan.authenticate))
    # No other answer undoes a policy's Deny; any other verdict may be undone by one that was not asked.
    known = (isinstance(verdict, Deny) and by != "core") or not any(one.missed for one in said)
    return Rehearsal(method, target, identity, plan, (*asked, *said), verdict if known else None, by, known)


async def _ask(step: Step, exchange: Exchange, *, running: bool) -> Asked:
    """One policy's answer; a fault of it is the refusal that it would be."""
    if step.is_async and not running:
        why = "not asked: it waits for something, and the house is not running"
        return Asked(step, note=why, missed=not step.shadow)
    note = "shadow: refuses nothing" if step.shadow else ""
    try:
        given: Any = step.call(exchange)
        if step.is_async and (iscoroutine(given) or not step.at_once):
            given = await timed(given, step.timeout)
    except TimeoutError:
        return Asked(step, Deny(503, "guard_timed_out", "it ran out of time"), note)
    except DependencyError as error:
        return Asked(step, Deny(503, error.code, str(error)), note)
    except Exception as error:  # noqa: BLE001  whatever a plugin raises refuses
        return Asked(step, Deny(500, "guard_failed", f"it failed: {type(error).__name__}"), note)
    if given is not None and not isinstance(given, (Allow, Deny, Answer)):
        given = Deny(500, "guard_failed", f"it returned {type(given).__name__}")
    return Asked(step, given, note)


async def _combined(said: Sequence[Asked], exchange: Exchange, *, known: bool) -> tuple[Verdict | None, str]:
    """What core makes of the answers, by the code that does so for every request."""
    again = [_saying(one) for one in said if not (one.step.shadow or one.missed)]
    runner = StageRunner(EventBus(Tasks()), Metrics())
    verdict = await settled(runner.policies(exchange, again, known=known))
    by = "core" if exchange.decided_by is None else exchange.decided_by.instance
    return exchange.verdict if verdict is None else verdict, by


def _saying(one: Asked) -> Step:
    def say(_exchange: Exchange) -> Verdict | None:
        return one.verdict

    return replace(one.step, call=say, is_async=False)


def rehearse_blocking(
    chain: Chain, permissions: Permissions, method: str, target: str, identity: Identity | None
) -> Rehearsal:
    """The same for a house that is not running, where no event loop is either."""
    return asyncio.run(rehearse(chain, permissions, method, target, identity, running=False))
