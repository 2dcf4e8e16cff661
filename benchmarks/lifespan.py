"""The lifespan events that a server sends, without the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.asgi import ASGIApp, Message


@asynccontextmanager
async def started(app: ASGIApp) -> AsyncIterator[None]:
    """Start the app, and shut it down on leaving.

    Raises:
        RuntimeError: the app says that it failed, or ends before it answers.
    """
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    task = asyncio.ensure_future(app(scope, inbox.get, outbox.put))
    await _ask("startup", inbox, outbox, task)
    try:
        yield
    finally:
        await _ask("shutdown", inbox, outbox, task)
        await task


async def _ask(
    event: str, inbox: asyncio.Queue[Message], outbox: asyncio.Queue[Message], task: asyncio.Future[None]
) -> None:
    inbox.put_nowait({"type": f"lifespan.{event}"})
    answer = asyncio.ensure_future(outbox.get())
    waiting: set[asyncio.Future[Any]] = {answer, task}  # their results differ
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if not answer.done():
        answer.cancel()
        await task
        raise RuntimeError(f"the app ended before it answered lifespan.{event}")
    if answer.result()["type"] != f"lifespan.{event}.complete":
        raise RuntimeError(f"lifespan.{event} failed: {answer.result()}")
