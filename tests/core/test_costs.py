"""Hooks are timed on a sample of the exchanges, and are the same hooks then."""

import asyncio
from typing import Any

import pytest

from narthex import Deny, Exchange, Identity, Narthex, Settings, hookimpl
from narthex.costs import Costs
from narthex.metrics import Metrics
from narthex.plan import Plan, Step
from narthex.testing import Counted, Hello, config, request


class NoSettings(Settings):
    pass


class Everywhere:
    """Has a hook in every stage, plain and async, that may fail."""

    name = "everywhere"
    Settings = NoSettings

    def __init__(self, settings: object, house: object) -> None: ...

    @hookimpl
    async def admit(self, exchange: Exchange) -> Deny | None:
        await asyncio.sleep(0.01 if exchange.route_path == "/slow" else 0)
        return None

    @hookimpl
    def authenticate(self, exchange: Exchange) -> Identity | None:
        return Identity(subject="alice")

    @hookimpl
    def vet(self) -> Deny | None:  # takes no exchange
        return None

    @hookimpl
    def respond(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        return [(b"x-seen", b"1")]

    @hookimpl
    def observe(self, exchange: Exchange) -> None:
        if exchange.route_path == "/fail":
            raise ValueError


def asked(sample: int, *paths: str) -> tuple[Counted, list[Any]]:
    house = Narthex(Hello(), config(everywhere={"use": f"{__name__}:Everywhere"}))
    counted = Counted()
    house._estate.metrics.attach(counted, sample=sample)

    async def go() -> list[Any]:
        return [await request(house, "GET", path) for path in paths]

    return counted, asyncio.run(go())


def timed(counted: Counted, hook: str) -> list[float]:
    found: list[float] = counted.values.get(("narthex_hook_duration_seconds", "everywhere", hook), [])
    return found


def test_every_hook_of_an_exchange_is_timed_waiting_included() -> None:
    counted, (reply,) = asked(1, "/slow")
    assert {key[2] for key in counted.values if key[0] == "narthex_hook_duration_seconds"} == {
        "admit", "authenticate", "vet", "respond", "observe"
    }  # fmt: skip
    assert timed(counted, "admit")[0] >= 0.01
    assert timed(counted, "vet")[0] < 0.01
    assert (reply.status, reply.headers["x-seen"]) == (200, "1")


def test_a_hook_that_fails_is_timed_and_fails_as_ever() -> None:
    counted, (reply,) = asked(1, "/fail")
    assert len(timed(counted, "observe")) == 1
    assert counted["narthex_hook_failures_total", "everywhere", "observe"] == 1
    assert reply.status == 200


@pytest.mark.parametrize("sample", [10, 100])
def test_about_one_exchange_in_so_many_is_timed(sample: int) -> None:
    counted, _ = asked(sample, *["/"] * 2000)
    assert 2000 / sample / 2 <= len(timed(counted, "vet")) <= 2000 / sample * 2


def test_without_a_sink_that_asks_for_it_nothing_is_timed() -> None:
    assert timed(asked(0, *["/"] * 10)[0], "vet") == []


def test_a_timed_plan_differs_in_its_calls_alone() -> None:
    step = Step(call=lambda _: None, instance="a", plugin="a", hook="vet", is_async=False, shadow=True, timeout=2.0)
    plan = Plan(open=True, strict=True, vet=(step,))
    other = Costs(Metrics()).timed(plan)
    (made,) = other.vet
    assert (made.instance, made.shadow, made.timeout, made.is_async) == ("a", True, 2.0, False)
    assert (other.open, other.strict, other.authorize) == (True, True, ())
    assert plan.vet == (step,)
