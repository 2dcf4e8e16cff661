"""A time limit that costs nothing where nothing waits."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from narthex.timed import timed


def run(make: Callable[[], Awaitable[Any]], seconds: float | None = 5.0) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(5):
            return await timed(make(), seconds)

    return asyncio.run(main())


async def at_once() -> str:
    return "value"


async def later() -> str:
    for _ in range(3):
        await asyncio.sleep(0)
    await asyncio.sleep(0.001)
    return "value"


async def fails_at_once() -> None:
    raise LookupError("at once")


async def fails_later() -> None:
    await asyncio.sleep(0)
    raise LookupError("later")


async def hangs() -> None:
    await asyncio.Event().wait()


async def swallows() -> str:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "late"
    return "never"


@pytest.mark.parametrize("seconds", [None, 5.0])
@pytest.mark.parametrize("make", [at_once, later])
def test_the_value_comes_through_whether_it_waits_or_not(
    make: Callable[[], Awaitable[str]], seconds: float | None
) -> None:
    assert run(make, seconds) == "value"


@pytest.mark.parametrize("make", [fails_at_once, fails_later])
def test_an_exception_comes_through(make: Callable[[], Awaitable[None]]) -> None:
    with pytest.raises(LookupError):
        run(make)


@pytest.mark.parametrize("make", [hangs, swallows])
def test_what_is_late_has_timed_out_also_if_it_answers_after_all(make: Callable[[], Awaitable[None]]) -> None:
    with pytest.raises(TimeoutError):
        run(make, 0.01)


def test_what_does_not_wait_starts_no_timer() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        timers: list[float] = []
        original = loop.call_at

        def call_at(when: float, *args: Any, **more: Any) -> Any:
            timers.append(when)
            return original(when, *args, **more)

        loop.call_at = call_at  # type: ignore[method-assign, assignment]
        await timed(at_once(), 5)
        nothing = list(timers)
        await timed(later(), 5)
        return [len(nothing), len(timers)]

    none, some = asyncio.run(main())
    assert none == 0
    assert some >= 1


def test_any_awaitable_will_do() -> None:
    def future() -> Awaitable[str]:
        made: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        made.set_result("value")
        return made

    assert run(future) == "value"


def test_context_variables_set_inside_are_seen_outside_as_with_a_plain_await() -> None:
    var: contextvars.ContextVar[int] = contextvars.ContextVar("var", default=0)

    async def sets() -> None:
        var.set(1)
        await asyncio.sleep(0)
        var.set(var.get() + 1)

    async def main() -> int:
        await timed(sets(), 5)
        return var.get()

    assert asyncio.run(main()) == 2


@pytest.mark.parametrize("steps", range(4))
def test_a_cancellation_from_outside_passes_into_the_coroutine_and_out_again(steps: int) -> None:
    seen: list[str] = []

    async def works() -> None:
        try:
            for _ in range(10):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def main() -> bool:
        task = asyncio.ensure_future(timed(works(), 5))
        for _ in range(steps + 1):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(main())
    assert seen == ["cancelled"]


def test_timeouts_of_its_own_work_inside() -> None:
    async def impatient() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return "own"
        return "never"

    assert run(impatient) == "own"


def test_a_task_group_works_inside() -> None:
    async def grouped() -> str:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(later())
        return task.result()

    assert run(grouped) == "value"
