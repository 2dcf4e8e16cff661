"""Units start in order and are released in reverse, whoever asks when, and whatever one of them does."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from narthex.errors import StartError
from narthex.life import Life, State, Unit

Act = Callable[[], Awaitable[None]]
CALLER: ContextVar[str] = ContextVar("CALLER", default="nobody")


class Diary:
    """Units that write down what happens to them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def unit(self, name: str, *, up: Act | None = None, down: Act | None = None) -> Unit:
        async def start() -> None:
            self.lines.append(f"{name} starts")
            if up is not None:
                await up()

        async def stop() -> None:
            if down is not None:
                await down()
            self.lines.append(f"{name} stops")

        return Unit(name, start, stop)

    def life(self, **units: dict[str, Act]) -> Life:
        return Life(lambda: [self.unit(name, **acts) for name, acts in units.items()], asyncio.get_running_loop().time)


async def slowly() -> None:
    await asyncio.sleep(0.02)


async def raises() -> None:
    raise LookupError("nothing there")


async def is_cancelled() -> None:
    raise asyncio.CancelledError


def test_where_the_loop_is_torn_down_each_waits_for_those_that_stand_on_it() -> None:
    diary = Diary()

    async def main() -> None:
        await diary.life(a={}, b={"down": slowly}, c={"down": slowly}).start()

    asyncio.run(main())
    assert diary.lines == ["a starts", "b starts", "c starts", "c stops", "b stops", "a stops"]


def test_a_start_that_comes_while_it_stops_waits_for_the_end() -> None:
    diary = Diary()

    async def main() -> None:
        life = diary.life(a={"down": slowly})
        await life.start()
        stopping = asyncio.create_task(life.stop())
        async with asyncio.timeout(10):
            while life.state is not State.STOPPING:
                await asyncio.sleep(0)
        await life.start()
        await stopping
        await life.stop()

    asyncio.run(main())
    assert diary.lines == ["a starts", "a stops"] * 2


def test_a_request_that_comes_while_it_stops_does_not_wait_and_starts_nothing() -> None:
    diary = Diary()

    async def main() -> bool:
        leave = asyncio.Event()

        async def until_let_go() -> None:
            await leave.wait()

        life = diary.life(a={"down": until_let_go})
        await life.start()
        stopping = asyncio.create_task(life.stop())
        async with asyncio.timeout(10):
            while life.state is not State.STOPPING:
                await asyncio.sleep(0.001)
        ensured = await asyncio.wait_for(life.ensure(), 10)
        leave.set()
        await stopping
        return ensured

    assert asyncio.run(main()) is False
    assert diary.lines == ["a starts", "a stops"]


def test_once_closed_no_request_starts_it_again_but_a_lifespan_does() -> None:
    async def main() -> list[object]:
        life = Diary().life(a={})
        await life.start()
        await life.close()
        found: list[object] = [await life.ensure(), life.state]
        life.begin()
        found.append(life.state)
        await life.start()
        found.append(life.serving)
        await life.stop()
        return found

    assert asyncio.run(main()) == [False, State.STOPPED, State.STOPPED, True]


def test_a_house_that_lets_nobody_in_does_not_serve_although_everything_is_up() -> None:
    async def main() -> list[object]:
        life = Diary().life(a={})
        await life.start()
        life.refuse()
        found = [life.state, life.serving, await life.ensure()]
        await life.stop()
        return found

    assert asyncio.run(main()) == [State.SERVING, False, False]


@pytest.mark.parametrize("end", [raises, is_cancelled])
def test_a_start_that_fails_is_told_also_where_its_release_fails(end: Act) -> None:
    diary = Diary()

    async def main() -> None:
        life = diary.life(a={}, b={"up": raises, "down": end})
        with pytest.raises(StartError, match="b could not be started: nothing there"):
            await asyncio.wait_for(life.start(), 10)

    asyncio.run(main())
    assert diary.lines == ["a starts", "b starts", "a stops"]


def test_what_is_added_is_nobodys_request_and_is_removed_in_reverse() -> None:
    diary, seen = Diary(), list[Any]()

    async def look() -> None:
        seen.append(CALLER.get())

    async def main() -> None:
        life = diary.life(a={})
        await life.start()
        CALLER.set("a request")
        added = [diary.unit("b", up=look), diary.unit("c")]
        await life.add(added)
        assert (life.has("b"), life.has("c")) == (True, True)
        await life.remove(added)
        assert (life.has("b"), life.has("a")) == (False, True)
        await life.stop()

    asyncio.run(main())
    assert diary.lines == ["a starts", "b starts", "c starts", "c stops", "b stops", "a stops"]
    assert seen == ["nobody"]


def test_a_start_that_never_ends_does_not_outlive_whoever_asked_for_it() -> None:
    diary = Diary()

    async def hang() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        life = diary.life(a={})
        await life.start()
        added = asyncio.create_task(life.add([diary.unit("b"), diary.unit("c", up=hang)]))
        async with asyncio.timeout(10):
            while "c starts" not in diary.lines:
                await asyncio.sleep(0.001)
        added.cancel()
        await asyncio.wait([added], timeout=10)
        assert (added.cancelled(), life.has("b"), life.has("c")) == (True, False, False)
        await asyncio.wait_for(life.stop(), 10)

    asyncio.run(main())
    assert diary.lines == ["a starts", "b starts", "c starts", "c stops", "b stops", "a stops"]
