"""Calling the hooks of a stage: every fault becomes a verdict or a count, and is told."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from narthex import Allow, Answer, Deny, Exchange, Identity
from narthex.events import Event, EventBus, ExchangeRefused, HookFailed
from narthex.exchange import Hall
from narthex.metrics import Instrument, Metrics, Record
from narthex.plan import Plan, Step
from narthex.proxies import TrustedProxies
from narthex.services import CorePermissions
from narthex.stages import StageRunner, settled
from narthex.tasks import Tasks
from narthex.testing import http_scope


class Counts:
    """A metric sink that adds up."""

    def __init__(self) -> None:
        self.totals: dict[tuple[str, ...], float] = {}

    def instrument(self, instrument: Instrument) -> Record:
        def record(value: float, labels: tuple[str, ...]) -> None:
            key = (instrument.name, *labels)
            self.totals[key] = self.totals.get(key, 0) + value

        return record


class Bench:
    """A runner with all that it tells."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.counts = Counts()
        bus, metrics = EventBus(Tasks()), Metrics()
        bus.subscribe(Event, self.events.append)
        metrics.attach(self.counts)
        self.runner = StageRunner(bus, metrics)
        hall = Hall(TrustedProxies(()), CorePermissions)
        self.exchange = Exchange(http_scope("GET", "/a"), "http", Plan(), hall, 0.0)

    def guard(self, *steps: Step, forgive: bool = False) -> Deny | Answer | None:
        return asyncio.run(settled(self.runner.guard(self.exchange, steps, forgive=forgive)))

    def identify(self, *steps: Step, forgive: bool = False) -> Deny | Answer | None:
        return asyncio.run(settled(self.runner.identify(self.exchange, steps, forgive=forgive)))

    def policies(self, *steps: Step, known: bool = False) -> Deny | Answer | None:
        return asyncio.run(settled(self.runner.policies(self.exchange, steps, known=known)))


def step(given: Any, hook: str = "vet", *, shadow: bool = False, instance: str = "p") -> Step:
    """A plain step that gives a value, or raises it."""

    def call(exchange: Exchange) -> Any:
        if isinstance(given, BaseException):
            raise given
        return given

    return Step(call, instance, "plugin", hook, is_async=False, shadow=shadow, where="narthex.toml:7")


def test_the_first_deny_or_answer_of_a_guard_ends_it_and_says_whose_it_was() -> None:
    bench = Bench()
    asked: list[str] = []
    last = Step(lambda exchange: asked.append("last"), "z", "z", "vet", is_async=False)
    assert bench.guard(step(None), step(Answer(204), instance="b"), last) == Answer(204)
    assert bench.exchange.decided_by is not None
    assert (bench.exchange.decided_by.instance, asked) == ("b", [])


@pytest.mark.parametrize("given", [42, 0, "", False, [], Allow(), Identity(subject="a"), object()])
def test_what_a_guard_may_not_return_refuses_with_500(given: object) -> None:
    bench = Bench()
    verdict = bench.guard(step(given))
    assert isinstance(verdict, Deny)
    assert (verdict.status, verdict.code) == (500, "guard_failed")
    assert bench.events == [HookFailed(exchange_id=bench.exchange.id, plugin="p", hook="vet", error="ContractError")]
    assert bench.counts.totals == {("narthex_hook_failures_total", "p", "vet"): 1}


class NoException(BaseException):
    """As a test framework's or a green thread's own are."""


def test_what_is_no_exception_refuses_all_the_same_and_an_interrupt_is_passed_on() -> None:
    verdict = Bench().guard(step(NoException()))
    assert isinstance(verdict, Deny)
    assert (verdict.status, verdict.code) == (500, "guard_failed")
    with pytest.raises(KeyboardInterrupt):
        Bench().guard(step(KeyboardInterrupt()))


def test_an_awaitable_out_of_a_plain_hook_refuses_and_is_not_left_unawaited() -> None:
    async def late() -> None: ...

    async def vet() -> Deny | Answer | None:
        bench = Bench()
        call: Callable[[Exchange], Any] = lambda exchange: late()  # noqa: E731
        steps = [Step(call, "p", "p", "vet", is_async=False)]
        return await settled(bench.runner.guard(bench.exchange, steps, forgive=False))

    verdict = asyncio.run(vet())
    assert isinstance(verdict, Deny)
    assert verdict.status == 500


def test_a_fault_of_a_guard_is_not_forgiven_on_an_open_path() -> None:
    bench = Bench()
    assert bench.guard(step(Deny(401, "x")), forgive=True) is None
    verdict = bench.guard(step(LookupError()), forgive=True)
    assert isinstance(verdict, Deny)
    assert verdict.status == 500


def test_an_identity_of_a_shadow_identifier_counts_and_its_deny_does_not() -> None:
    bench = Bench()
    who = Identity(subject="alice")
    assert bench.identify(step(Deny(401, "x"), shadow=True), step(who, shadow=True)) is None
    assert bench.exchange.identity is who
    assert bench.counts.totals == {("narthex_shadow_denials_total", "p", "x"): 1}


def test_a_shadow_refusal_is_told_as_such_with_plugin_rule_and_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench = Bench()
    assert bench.guard(step(Deny(403, "closed", "night", "r1"), shadow=True), step(None)) is None
    told = bench.events[0]
    assert isinstance(told, ExchangeRefused)
    assert (told.shadow, told.plugin, told.where, told.rule) == (True, "p", "narthex.toml:7", "r1")
    assert (bench.exchange.verdict, bench.exchange.decided_by) == (None, None)


POLICIES: list[tuple[list[Any], int | None]] = [
    ([Allow()], None),
    ([None, Allow()], None),
    ([None], 403),
    ([None, None], 403),
    ([Allow(), Deny(403, "no")], 403),
    ([Deny(429, "no"), Deny(403, "no")], 429),
    ([Answer(307), Allow()], 307),
    ([Answer(307), Deny(403, "no")], 403),
    ([Allow(), LookupError()], 500),
    ([Allow(), True], 500),
]


@pytest.mark.parametrize(("given", "status"), POLICIES)
def test_policies_are_combined_so_that_any_deny_wins_and_silence_refuses(given: list[Any], status: int | None) -> None:
    verdict = Bench().policies(*(step(one, "authorize") for one in given))
    assert (None if verdict is None else verdict.status) == status


def test_an_allow_does_not_take_a_refusal_back() -> None:
    bench = Bench()
    bench.exchange.refuse_inside(Deny(403, "role_required"))
    assert bench.policies(step(Allow(), "authorize")) is None
    assert bench.exchange.verdict == Deny(403, "role_required")


def test_policies_all_in_shadow_refuse_nothing() -> None:
    bench = Bench()
    shadows = [step(one, "authorize", shadow=True) for one in (Deny(403, "no"), None, Answer(204), LookupError())]
    assert bench.policies(*shadows) is None
    assert bench.exchange.verdict is None


def test_an_allow_in_shadow_does_not_allow() -> None:
    verdict = Bench().policies(step(Allow(), "authorize", shadow=True), step(None, "authorize"))
    assert isinstance(verdict, Deny)


def test_an_anonymous_caller_is_asked_who_it_is_only_where_someone_could_know() -> None:
    silent = step(None, "authorize")
    verdicts = [Bench().policies(silent, known=True), Bench().policies(silent)]
    assert [verdict.status for verdict in verdicts if verdict] == [401, 403]


@pytest.mark.parametrize("given", [LookupError(), 42, Deny(403, "no"), asyncio.CancelledError()])
def test_a_witness_that_says_anything_at_all_has_not_kept_its_record(given: object) -> None:
    bench = Bench()
    kept = asyncio.run(bench.runner.witness(bench.exchange, [step(None, "witness"), step(given, "witness")]))
    assert not kept


def test_every_observer_is_told_whatever_the_others_do(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    told: list[Exchange] = []
    faults = [LookupError(), asyncio.CancelledError(), 42, NoException()]
    last = Step(told.append, "z", "z", "observe", is_async=False)
    asyncio.run(bench.runner.observe(bench.exchange, [*(step(one, "observe") for one in faults), last]))
    assert told == [bench.exchange]
    assert bench.counts.totals == {("narthex_hook_failures_total", "p", "observe"): 4}
    assert caplog.text.count("observe of plugin p failed") == 4


def test_a_refusal_is_counted_by_plugin_and_code() -> None:
    bench = Bench()
    bench.runner.refused(bench.exchange, Deny(403, "closed"))
    assert bench.counts.totals == {("narthex_refusals_total", "core", "closed"): 1}


def test_events_that_nobody_wants_are_not_made() -> None:
    made: list[type] = []

    class Watched(EventBus):
        def wanted(self, kind: type[Event]) -> bool:
            made.append(kind)
            return super().wanted(kind)

        def publish(self, event: Event) -> None:
            made.append(type(event))

    StageRunner(Watched(Tasks()), Metrics()).refused(Bench().exchange, Deny(403, "closed"))
    assert made == [ExchangeRefused]  # asked whether anybody wants it, and no more
