"""Await a hook under a time limit, without paying for a timer when it does not wait at all.

Most async hooks finish without suspending: the credential is in the cache, the list is in memory. Such a call is
driven once by hand and costs no timer. Only a coroutine that really waits is resumed inside `asyncio.timeout`.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any


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


async def timed(awaitable: Awaitable[Any], seconds: float | None) -> Any:
    """The awaitable's result, or TimeoutError after `seconds`.

    A coroutine that swallows the cancellation and answers late has timed out all the same.
    """
    if seconds is None or not inspect.iscoroutine(awaitable):
        async with asyncio.timeout(seconds) as limit:
            result = await awaitable
    else:
        try:
            pending = awaitable.send(None)
        except StopIteration as stop:
            return stop.value
        async with asyncio.timeout(seconds) as limit:
            result = await _Resume(awaitable, pending)
    if limit.expired():
        raise TimeoutError
    return result
