"""The bus: publishing never fails and never waits."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

import pytest

from narthex import Deny, Narthex
from narthex.events import QUEUE, Event, EventBus, ExchangeRefused, HookFailed, HouseStarted, HouseStopping
from narthex.tasks import Tasks
from narthex.testing import config, request
from tests.apps import Hello
from tests.guests import offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold(Event):
    """An event of a plugin's own."""

    topic: ClassVar[str] = "shop.sold"
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldTwice(Sold):
    """A narrower one."""


def test_a_subscriber_gets_its_kind_and_what_derives_from_it() -> None:
    bus, seen = EventBus(Tasks()), list[Event]()
    bus.subscribe(Sold, seen.append)
    bus.publish(Sold(number=1))
    bus.publish(SoldTwice(number=2))
    bus.publish(HouseStopping())
    assert seen == [Sold(number=1), SoldTwice(number=2)]


def test_an_event_is_wanted_exactly_when_someone_would_get_it() -> None:
    bus = EventBus(Tasks())
    end = bus.subscribe(Sold, lambda event: None)
    assert (bus.wanted(Sold), bus.wanted(SoldTwice), bus.wanted(Event)) == (True, True, False)
    end()
    end()
    assert not bus.wanted(Sold)


def test_a_subscriber_that_fails_is_logged_and_the_others_are_told(caplog: pytest.LogCaptureFixture) -> None:
    bus, seen = EventBus(Tasks()), list[Event]()

    def fails(event: Sold) -> None:
        raise LookupError("full")

    bus.subscribe(Sold, fails)
    bus.subscribe(Sold, seen.append)
    bus.publish(Sold(number=1))
    assert len(seen) == 1
    assert "a subscriber to shop.sold failed" in caplog.text


def test_subscribing_while_an_event_is_told_is_no_trouble() -> None:
    bus, seen = EventBus(Tasks()), list[Event]()

    def joins(event: Sold) -> None:
        bus.subscribe(Sold, seen.append)

    bus.subscribe(Sold, joins)
    bus.publish(Sold(number=1))
    bus.publish(Sold(number=2))
    assert seen == [Sold(number=2)]


def test_an_async_subscriber_gets_events_in_order_also_those_from_before_the_start() -> None:
    seen: list[int] = []

    async def slow(event: Sold) -> None:
        await asyncio.sleep(0)
        seen.append(event.number)

    async def main() -> None:
        tasks = Tasks()
        bus = EventBus(tasks)
        bus.subscribe(Sold, slow)
        bus.publish(Sold(number=0))
        tasks.start()
        for number in range(1, 5):
            bus.publish(Sold(number=number))
        await asyncio.sleep(0.01)
        await asyncio.to_thread(bus.publish, Sold(number=5))
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert seen == [0, 1, 2, 3, 4, 5]


def test_a_slow_async_subscriber_loses_the_oldest_and_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[int] = []

    async def slow(event: Sold) -> None:
        seen.append(event.number)

    async def main() -> None:
        tasks = Tasks()
        bus = EventBus(tasks)
        bus.subscribe(Sold, slow)
        for number in range(QUEUE + 2):
            bus.publish(Sold(number=number))
        tasks.start()
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert (seen[0], len(seen)) == (2, QUEUE)
    assert "too slow" in caplog.text


def test_the_house_tells_of_its_start_and_its_end() -> None:
    seen: list[Event] = []
    house = Narthex(Hello(), config(a=offer(vet=lambda exchange: None)))
    house._estate.events.subscribe(HouseStarted, seen.append)
    house._estate.events.subscribe(HouseStopping, seen.append)
    asyncio.run(request(house, "GET", "/"))
    assert seen == [HouseStarted(plugins=("a",)), HouseStopping()]


def test_a_refusal_is_told_with_who_refused_and_why() -> None:
    seen: list[ExchangeRefused] = []
    table = offer(vet=lambda exchange: Deny(403, "closed", "night", "from 22"))
    house = Narthex(Hello(), config(curfew=table))
    house._estate.events.subscribe(ExchangeRefused, seen.append)
    asyncio.run(request(house, "GET", "/a"))
    told = seen[0]
    assert (told.plugin, told.code, told.reason, told.rule, told.status) == (
        "curfew",
        "closed",
        "night",
        "from 22",
        403,
    )
    assert (told.method, told.path, told.client, told.subject, told.shadow) == ("GET", "/a", "127.0.0.1", None, False)


def test_a_hook_that_fails_is_told_by_its_name_and_the_exceptions_class() -> None:
    seen: list[HookFailed] = []

    def observe(exchange: object) -> None:
        raise LookupError("detail")

    house = Narthex(Hello(), config(eye=offer(observe=observe)))
    house._estate.events.subscribe(HookFailed, seen.append)
    asyncio.run(request(house, "GET", "/"))
    assert [(told.plugin, told.hook, told.error) for told in seen] == [("eye", "observe", "LookupError")]
