"""Await a hook under a time limit, without paying for a timer when it does not wait at all.

Most async hooks finish without suspending: the credential is in the cache, the list is in memory. Such a call is
driven once by hand and costs no timer, and no coroutine of ours. Only one that really waits is resumed inside
`asyncio.timeout`.
"""

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from types import CoroutineType
from typing import Any, Final

_COROUTINE: Final[type[object]] = CoroutineType


class _Resume:
    """Go on with a coroutine that has already run to its first suspension (PEP 380's delegation, from the middle)."""

    __slots__ = ("_coroutine", "_pending")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], pending: object) -> None:
        self._coroutine = coroutine
        self._pending = pending

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, pending = self._coroutine, self._pending
        while True:
            try:
                value: object = yield pending
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:  # noqa: BLE001  whatever is thrown in belongs to the coroutine
                value = None
                thrown: BaseException | None = error
            else:
                thrown = None
            try:
                pending = coroutine.send(value) if thrown is None else coroutine.throw(thrown)
            except StopIteration as stop:
                return stop.value


class Waiting:
    """What did not answer at once, and the seconds it may take."""

    __slots__ = ("_rest", "_seconds")

    def __init__(self, rest: Awaitable[Any], seconds: float | None) -> None:
        self._rest = rest
        self._seconds = seconds

    async def end(self) -> Any:
        """The result, or TimeoutError. A coroutine that swallows the cancellation and answers late has timed out."""
        async with asyncio.timeout(self._seconds) as limit:
            result = await self._rest
        if limit.expired():
            raise TimeoutError
        return result


def begin(awaitable: Coroutine[Any, Any, Any], seconds: float | None) -> Any:
    """Drive it to its first suspension: its result, or a `Waiting` to be ended within `seconds` from now.

    Of anything but a coroutine all is left to do.
    """
    if _COROUTINE is not type(awaitable):
        return Waiting(awaitable, seconds)
    try:
        pending: object = awaitable.send(None)
    except StopIteration as stop:
        return stop.value
    return Waiting(_Resume(awaitable, pending), seconds)


def resume(coroutine: Coroutine[Any, Any, Any], pending: object) -> Awaitable[Any]:
    """The rest of a coroutine that was driven by hand to its first suspension, where it gave `pending`."""
    return _Resume(coroutine, pending)


async def timed(awaitable: Any, seconds: float | None) -> Any:
    """The awaitable's result, or TimeoutError after `seconds`."""
    given = begin(awaitable, seconds)
    return await given.end() if type(given) is Waiting else given
