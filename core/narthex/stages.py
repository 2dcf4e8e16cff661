"""Calling the hooks of a stage, and turning every fault of theirs into a verdict or a count.

A guard that raises, runs out of time or returns nonsense refuses. An observer that does so is counted and logged,
and changes nothing. Nothing in here writes to the client.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from types import CoroutineType
from typing import Any, Final, cast

from narthex.asgi import sendable
from narthex.errors import ContractError, DependencyError
from narthex.events import Event, EventBus, ExchangeRefused, HookFailed
from narthex.exchange import Exchange
from narthex.identity import Identity
from narthex.metrics import Metrics
from narthex.plan import Step
from narthex.timed import Waiting, begin, timed
from narthex.verdict import Allow, Answer, Deny, Header
from narthex.votes import Votes, allowed

_log = logging.getLogger("narthex.hooks")
_shadow_log = logging.getLogger("narthex.shadow")

Given = Deny | Answer | Coroutine[Any, Any, Deny | Answer | None] | None
"""What a stage comes to, or a coroutine that gives it, where a hook waits; None where the walk goes on."""
_COROUTINE: Final[type[object]] = CoroutineType
_ENDS = (KeyboardInterrupt, SystemExit, GeneratorExit)  # the process, or the coroutine itself, is going down


class StageRunner:
    """Runs the stages of one house; holds its counters, keeps nothing of an exchange."""

    def __init__(self, events: EventBus, metrics: Metrics) -> None:
        self._events = events
        self._refusals = metrics.counter("narthex_refusals_total", "Exchanges refused.", ("plugin", "code"))
        self._shadowed = metrics.counter(
            "narthex_shadow_denials_total",
            "Exchanges that a plugin in shadow mode would have refused.",
            ("plugin", "code"),
        )
        self._failures = metrics.counter(
            "narthex_hook_failures_total",
            "Hooks that raised, ran out of time or returned nonsense.",
            ("plugin", "hook"),
        )

    def guard(self, exchange: Exchange, steps: Iterable[Step], *, forgive: bool) -> Given:
        """Ask guards in order; the first Deny or Answer ends it.

        Plain, as is all that asks: a coroutine comes back, and costs something, only where a hook has to be waited for.

        Args:
            exchange: the exchange.
            steps: `admit` or `vet`.
            forgive: whether a Deny of status 401 only makes the caller anonymous (`vet` on open paths).
        """
        left = iter(steps)
        for step in left:
            try:
                given: Any = step.call(exchange)
                if given is None and step.prompt:
                    continue
                given = _begun(given, step)
            except BaseException as error:  # noqa: BLE001  as in `_call`
                given = self._raised(error, step, exchange)
            if type(given) is Waiting:
                return self._guard_later(given, step, left, exchange, forgive=forgive)
            verdict = None if given is None else self._refusal(given, step, exchange, forgive=forgive)
            if verdict is not None:
                return verdict
        return None

    async def _guard_later(
        self, waiting: Waiting, step: Step, left: Iterator[Step], exchange: Exchange, *, forgive: bool
    ) -> Deny | Answer | None:
        given = await self._end(waiting, step, exchange)
        verdict = None if given is None else self._refusal(given, step, exchange, forgive=forgive)
        return verdict if verdict is not None else await settled(self.guard(exchange, left, forgive=forgive))

    def _refusal(self, given: object, step: Step, exchange: Exchange, *, forgive: bool) -> Deny | Answer | None:
        """What a guard's answer comes to; None where the walk goes on."""
        verdict = given if isinstance(given, (Deny, Answer)) else self._nonsense(step, exchange, given)
        if step.shadow:
            self._would_refuse(step, exchange, verdict)
        elif forgive and isinstance(verdict, Deny) and verdict.status == 401:
            exchange.identity = None
        else:
            exchange.decided_by = step
            return verdict
        return None

    def identify(self, exchange: Exchange, steps: Iterable[Step], *, forgive: bool) -> Given:
        """Ask identifiers in order until one knows the caller, and put the identity on the exchange."""
        left = iter(steps)
        for step in left:
            try:
                given: Any = step.call(exchange)
                if type(given) is not Identity or not step.prompt:
                    given = _begun(given, step)
            except BaseException as error:  # noqa: BLE001  as in `_call`
                given = self._raised(error, step, exchange)
            if isinstance(given, Identity):
                exchange.identity = given
                return None
            if given is None:
                continue
            if type(given) is Waiting:
                return self._identify_later(given, step, left, exchange, forgive=forgive)
            verdict = self._refusal(given, step, exchange, forgive=forgive)
            if verdict is not None:
                return verdict
        return None

    async def _identify_later(
        self, waiting: Waiting, step: Step, left: Iterator[Step], exchange: Exchange, *, forgive: bool
    ) -> Deny | Answer | None:
        given = await self._end(waiting, step, exchange)
        if isinstance(given, Identity):
            exchange.identity = given
            return None
        verdict = None if given is None else self._refusal(given, step, exchange, forgive=forgive)
        return verdict if verdict is not None else await settled(self.identify(exchange, left, forgive=forgive))

    def policies(self, exchange: Exchange, steps: Sequence[Step], *, known: bool) -> Given:
        """Ask every policy: any Deny wins, then any Answer; without one Allow the exchange is refused.

        Args:
            exchange: gets the Allow as its verdict.
            steps: `authorize`.
            known: whether an identifier is installed, so that an anonymous caller can do better: 401 instead of 403.
        """
        if not steps:
            return None
        step = steps[0]
        try:
            given: Any = step.call(exchange)
            if type(given) is not Allow or not step.prompt:
                given = _begun(given, step)
        except BaseException as error:  # noqa: BLE001  as in `_call`
            given = self._raised(error, step, exchange)
        if type(given) is Allow and len(steps) == 1 and not step.shadow:  # nearly always: there is nothing to add up
            allowed(exchange, step, given)
            return None
        return self._poll(exchange, given, step, iter(steps[1:]), Votes(known=known))

    def _poll(self, exchange: Exchange, given: Any, step: Step, left: Iterator[Step], votes: Votes) -> Given:
        while True:
            if type(given) is Waiting:
                return self._poll_later(given, step, left, exchange, votes)
            deny = self._counted(given, step, exchange, votes)
            if deny is not None:
                return deny
            following = next(left, None)
            if following is None:
                return votes.result(exchange)
            step, given = following, self._call(following, exchange)

    async def _poll_later(
        self, waiting: Waiting, step: Step, left: Iterator[Step], exchange: Exchange, votes: Votes
    ) -> Deny | Answer | None:
        return await settled(self._poll(exchange, await self._end(waiting, step, exchange), step, left, votes))

    def _counted(self, given: Any, step: Step, exchange: Exchange, votes: Votes) -> Deny | None:
        """Note a policy's answer; its Deny, where it counts."""
        votes.enforced = votes.enforced or not step.shadow
        if given is None:
            return None
        if not isinstance(given, (Allow, Deny, Answer)):
            given = self._nonsense(step, exchange, given)
        if step.shadow:
            if not isinstance(given, Allow):
                self._would_refuse(step, exchange, given)
        elif isinstance(given, Deny):
            exchange.decided_by = step
            return given
        elif isinstance(given, Answer):
            votes.answer = votes.answer or (step, given)
        else:
            votes.allow = votes.allow or (step, given)
        return None

    async def witness(self, exchange: Exchange, steps: Sequence[Step]) -> bool:
        """Let every witness keep its record; False when one could not."""
        for step in steps:
            given = self._call(step, exchange)
            if type(given) is Waiting:
                given = await self._end(given, step, exchange)
            if given is not None:
                if not isinstance(given, Deny):
                    self._nonsense(step, exchange, given)
                exchange.decided_by = step
                return False
        return True

    async def headers(self, exchange: Exchange, steps: Sequence[Step]) -> list[Header]:
        """Collect the response headers that plugins append; what a faulty one gives is left out."""
        fields: list[Header] = []
        for step in steps:
            try:
                given = step.call(exchange)
                if step.is_async:
                    given = await timed(given, step.timeout)
                if given:
                    fields.extend(_checked(given))
            except BaseException as error:  # noqa: BLE001  whatever a plugin raises
                self._not_dressed(error, step, exchange)
        return fields

    def headers_at_once(self, exchange: Exchange, steps: Sequence[Step]) -> list[Header]:
        """The same where none of them has to be waited for."""
        fields: list[Header] = []
        for step in steps:
            try:
                given = step.call(exchange)
                if given:
                    fields.extend(_checked(given))
            except BaseException as error:  # noqa: BLE001
                self._not_dressed(error, step, exchange)
        return fields

    def _not_dressed(self, error: BaseException, step: Step, exchange: Exchange) -> None:
        if _is_end(error):
            raise error
        self._failed(step, exchange, error)

    async def observe(self, exchange: Exchange, steps: Sequence[Step]) -> None:
        """Tell every observer, whatever the others do; a cancellation is passed on after the last."""
        cancelled: asyncio.CancelledError | None = None
        for step in steps:
            try:
                given = step.call(exchange)
                if step.is_async:
                    await timed(given, step.timeout)
                elif given is not None:
                    self._nonsense(step, exchange, given)
            except BaseException as error:  # noqa: BLE001
                cancelled = self._not_observed(error, step, exchange) or cancelled
        if cancelled is not None:
            raise cancelled

    def observe_at_once(self, exchange: Exchange, steps: Sequence[Step]) -> None:
        """The same where none of them has to be waited for."""
        cancelled: asyncio.CancelledError | None = None
        for step in steps:
            try:
                given = step.call(exchange)
                if given is not None:
                    self._nonsense(step, exchange, given)
            except BaseException as error:  # noqa: BLE001
                cancelled = self._not_observed(error, step, exchange) or cancelled
        if cancelled is not None:
            raise cancelled

    def _not_observed(self, error: BaseException, step: Step, exchange: Exchange) -> asyncio.CancelledError | None:
        """Count the fault; a cancellation of the task comes back, what ends the process is raised."""
        if isinstance(error, asyncio.CancelledError) and _is_cancelled():
            return error
        if isinstance(error, _ENDS):
            raise error
        self._failed(step, exchange, error)
        return None

    def _call(self, step: Step, exchange: Exchange) -> Any:
        """What the hook answers, a `Waiting` where it has not yet; a fault of it is a Deny.

        No coroutine: nearly every hook answers at once, and one more to await costs each of them 0.1 µs. The stages
        that nearly every request passes have the same lines in their loops, since a call costs as much.
        """
        try:
            return _begun(step.call(exchange), step)
        except BaseException as error:  # noqa: BLE001  raised again where it is no fault of the hook
            return self._raised(error, step, exchange)

    def _raised(self, error: BaseException, step: Step, exchange: Exchange) -> Deny:
        """What a hook has raised is a Deny, but for what ends the task or the process."""
        if _is_end(error):
            raise error
        return self._fault(step, exchange, error)

    async def _end(self, waiting: Waiting, step: Step, exchange: Exchange) -> Any:
        """What the hook answers in the end."""
        try:
            return await waiting.end()
        except BaseException as error:  # noqa: BLE001  the same
            return self._raised(error, step, exchange)

    def _nonsense(self, step: Step, exchange: Exchange, given: object) -> Deny:
        _discard(given)
        what = f"{step.hook} returned {type(given).__name__}, which this stage does not know"
        return self._fault(step, exchange, ContractError(what))

    def _fault(self, step: Step, exchange: Exchange, error: BaseException) -> Deny:
        self._failed(step, exchange, error)
        if isinstance(error, TimeoutError):
            return Deny(503, "guard_timed_out", f"{step.hook} of {step.instance} ran out of time")
        if isinstance(error, DependencyError):
            return Deny(503, error.code, str(error), retry_after=error.retry_after)
        return Deny(500, "guard_failed", f"{step.hook} of {step.instance} failed: {type(error).__name__}")

    def _failed(self, step: Step, exchange: Exchange, error: BaseException) -> None:
        self._failures.inc(step.instance, step.hook)
        expected = isinstance(error, (TimeoutError, DependencyError))  # a stack would tell nothing more
        what = f": {type(error).__name__} {error}".rstrip() if expected else ""
        _log.error("%s of plugin %s failed%s", step.hook, step.instance, what, exc_info=None if expected else error)
        self._publish(
            HookFailed,
            lambda: HookFailed(
                exchange_id=exchange.id, plugin=step.instance, hook=step.hook, error=type(error).__name__
            ),
        )

    def _would_refuse(self, step: Step, exchange: Exchange, given: Deny | Answer) -> None:
        deny = given if isinstance(given, Deny) else Deny(403, "answered", f"would have answered {given.status}")
        self._shadowed.inc(step.instance, deny.code)
        _shadow_log.info(
            "%s would have refused %s %r: %s %s",
            step.instance,
            exchange.method,
            exchange.route_path,
            deny.code,
            deny.reason,
        )
        self._tell(exchange, deny, step, shadow=True)

    def refused(self, exchange: Exchange, deny: Deny) -> None:
        """Count a refusal and tell who listens."""
        step = exchange.decided_by
        self._refusals.inc("core" if step is None else step.instance, deny.code)
        self._tell(exchange, deny, step, shadow=False)

    def _tell(self, exchange: Exchange, deny: Deny, step: Step | None, *, shadow: bool) -> None:
        def event() -> ExchangeRefused:
            return ExchangeRefused(
                exchange_id=exchange.id,
                method=exchange.method,
                path=exchange.route_path,
                client=exchange.client,
                subject=exchange.identity.subject if exchange.identity else None,
                status=deny.status,
                code=deny.code,
                reason=deny.reason,
                rule=deny.rule,
                plugin="core" if step is None else step.instance,
                where="" if step is None else step.where,
                shadow=shadow,
            )

        self._publish(ExchangeRefused, event)

    def _publish(self, kind: type[Event], make: Callable[[], Event]) -> None:
        if self._events.wanted(kind):
            self._events.publish(make())


def _begun(given: Any, step: Step) -> Any:
    """What a hook has given: its answer, or a `Waiting` where it has to be waited for."""
    waits = step.is_async and (_COROUTINE is type(given) or not step.at_once)
    return begin(given, step.timeout) if waits else given


async def settled(given: Given) -> Deny | Answer | None:
    """What it comes to, waited for where need be."""
    return given if given is None or isinstance(given, (Deny, Answer)) else await given


def _is_end(error: BaseException) -> bool:
    """Whether this ends the task or the process, and is no fault of the hook."""
    return isinstance(error, _ENDS) or (isinstance(error, asyncio.CancelledError) and _is_cancelled())


def _is_cancelled() -> bool:
    """Whether somebody cancels this task, as opposed to a hook that raised CancelledError of its own."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _discard(given: object) -> None:
    """Close a coroutine that nobody will await, so that Python does not warn of it."""
    close = getattr(given, "close", None)
    if asyncio.iscoroutine(given) and close is not None:
        close()


def _checked(given: Any) -> list[Header]:
    """The fields a `respond` hook gave, none of which may split the response."""
    if not isinstance(given, (list, tuple)):
        _discard(given)
        raise ContractError(f"respond returned {type(given).__name__}, not a list of pairs of bytes")
    fields: list[Header] = []
    for name, value in cast("list[tuple[object, object]]", given):
        if not isinstance(name, bytes) or not isinstance(value, bytes) or not sendable(name, value):
            raise ContractError("respond gives pairs of bytes that can be sent as header fields (RFC 9110 §5.5)")
        fields.append((name, value))
    return fields
