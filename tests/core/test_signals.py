"""Handlers in front of the server's: heard first, held where asked, put back as they were."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from narthex import Narthex
from narthex.signals import StopSignals
from narthex.testing import config, request
from tests.apps import Hello
from tests.core.test_lifespan import Server
from tests.guests import offer


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """What the server's own handler of SIGTERM hears."""
    numbers: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: numbers.append(number))
    yield numbers
    signal.signal(signal.SIGTERM, before)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.001)


def test_the_house_is_told_and_the_server_hears_of_it_too(heard: list[int]) -> None:
    told: list[bool] = []

    async def main() -> None:
        signals = StopSignals()
        signals.listen(told.append, hold=False)
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: told)
        signals.restore()
        signal.raise_signal(signal.SIGTERM)

    asyncio.run(main())
    assert (told, heard) == ([False], [signal.SIGTERM] * 2)


def test_a_held_signal_reaches_the_server_once_it_is_let_through_and_a_second_at_once(heard: list[int]) -> None:
    told: list[bool] = []

    async def main() -> list[int]:
        signals = StopSignals()
        signals.listen(told.append, hold=True)
        signal.raise_signal(signal.SIGTERM)
        counts = [len(heard)]
        signal.raise_signal(signal.SIGTERM)
        counts.append(len(heard))
        signals.restore()
        signals.pass_on()
        counts.append(len(heard))
        return counts

    assert asyncio.run(main()) == [0, 1, 2]


def test_a_handler_that_came_after_ours_is_left_in_place_and_ours_passes_through(heard: list[int]) -> None:
    async def main() -> None:
        signals = StopSignals()
        signals.listen(lambda _held: None, hold=True)
        ours = signal.getsignal(signal.SIGTERM)
        assert callable(ours)
        signal.signal(signal.SIGTERM, lambda number, frame: ours(number, frame))  # noqa: PLW0108  another handler
        signals.restore()
        signal.raise_signal(signal.SIGTERM)

    asyncio.run(main())
    assert heard == [signal.SIGTERM]


def test_a_house_that_lives_again_behind_a_handler_that_calls_its_first_makes_no_ring(heard: list[int]) -> None:
    house = Narthex(Hello(), config(a=offer()))

    async def main() -> None:
        await Server(house).through()
        server = Server(house)
        await server.tell("startup")
        ours = signal.getsignal(signal.SIGTERM)
        assert callable(ours)
        signal.signal(signal.SIGTERM, lambda number, frame: ours(number, frame))  # noqa: PLW0108  another handler
        await server.tell("shutdown")
        await server.task
        server = Server(house)
        await server.tell("startup")
        signal.raise_signal(signal.SIGTERM)
        await server.tell("shutdown")
        await server.task

    asyncio.run(main())
    assert heard == [signal.SIGTERM]


def test_elsewhere_than_in_the_main_thread_nothing_is_touched() -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def main() -> None:
        StopSignals().listen(lambda _held: None, hold=True)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before


def test_without_a_lifespan_plugins_are_released_before_the_server_hears(heard: list[int]) -> None:
    diary: list[str] = []
    table = offer(stop=lambda: diary.append(f"stopped, the server has heard {len(heard)}"))

    async def main() -> tuple[int | None, int | None]:
        house = Narthex(Hello(), config(a=table))
        before = await request(house, "GET", "/")
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: heard)
        return before.status, (await request(house, "GET", "/")).status

    assert asyncio.run(main()) == (200, 503)
    assert diary == ["stopped, the server has heard 0"]
