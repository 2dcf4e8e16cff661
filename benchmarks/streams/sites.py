"""The same in four ways: GET /events (ours: /_narthex/events) streams, /go?rate=20&seconds=3 has events published.

Each event says when it was published, on the clock that all processes of the host share.
"""

import asyncio
import json
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from narthex.asgi import ASGIApp

KEPT = 20
"""Of the events a second so many are durable, where a candidate knows what that is."""
Publish = Callable[[int, dict[str, Any]], Awaitable[None]]


def event() -> dict[str, Any]:
    """200 bytes or so, as JSON."""
    return {"t": time.monotonic_ns(), "filling": "x" * 160}


async def beat(publish: Publish, rate: float, seconds: float) -> None:
    """Publish at a steady rate; what is late is not made up for by leaving events out."""
    began, count = time.monotonic(), round(rate * seconds)
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        await publish(number, event())


def commanded(app: ASGIApp, publish: Publish) -> ASGIApp:
    """The app, and /go and /memory in front of it."""
    running: set[asyncio.Task[None]] = set()

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] not in ("/go", "/memory"):
            await app(scope, receive, send)
            return
        query = dict(parse_qsl(scope["query_string"].decode()))
        if scope["path"] == "/go":
            task = asyncio.create_task(beat(publish, float(query["rate"]), float(query["seconds"])))
            running.add(task)
            task.add_done_callback(running.discard)
        pages = int(Path("/proc/self/statm").read_text().split()[1])  # noqa: ASYNC240  no disk
        used = resource.getrusage(resource.RUSAGE_SELF)
        body = json.dumps({"resident": pages * resource.getpagesize(), "cpu": used.ru_utime + used.ru_stime}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})

    return serve


def narthex_events() -> ASGIApp:
    """Ours: a house with the plugin alone, on SQLite."""
    import os

    from narthex import Narthex
    from narthex.testing import Hello
    from narthex_plugins import events

    topics = [{"topic": "bench.>", "read": "public"}, {"topic": "bench.kept", "read": "public", "durable": True}]
    table = {"topics": topics, "streams_each": 100_000}
    store = f"sqlite:///{os.environ['STREAMS_DIRECTORY']}/narthex.db"
    kept = {"at": 0.0}

    async def publish(number: int, data: dict[str, Any]) -> None:
        durable = time.monotonic() - kept["at"] >= 1 / KEPT
        if durable:
            kept["at"] = time.monotonic()
            soon(events.publish("bench.kept", data))  # the beat does not wait for the disk
        else:
            await events.publish("bench.passing", data)

    return commanded(Narthex(Hello(), {"narthex": {"store": store}, "plugins": {"events": table}}), publish)


_soon: set["asyncio.Task[Any]"] = set()


def soon(work: Any) -> None:
    """Have it done beside us."""
    task = asyncio.ensure_future(work)
    _soon.add(task)
    task.add_done_callback(_soon.discard)


def litestar_channels() -> ASGIApp:
    """Litestar's own: the channels plugin in memory, and its ServerSentEvent."""
    from litestar import Litestar, get
    from litestar.channels import ChannelsPlugin
    from litestar.channels.backends.memory import MemoryChannelsBackend
    from litestar.response import ServerSentEvent

    channels = ChannelsPlugin(MemoryChannelsBackend(), channels=["bench"])

    @get("/events", sync_to_thread=False)
    def stream() -> ServerSentEvent:
        async def read() -> AsyncIterator[str]:
            async with channels.start_subscription(["bench"]) as subscriber:
                async for data in subscriber.iter_events():
                    yield data.decode()

        return ServerSentEvent(read())

    async def publish(_number: int, data: dict[str, Any]) -> None:
        channels.publish(data, ["bench"])

    return commanded(Litestar([stream], plugins=[channels]), publish)  # type: ignore[arg-type]  # its own ASGI types


def sse_starlette() -> ASGIApp:
    """The best-known package for Starlette and FastAPI, with a queue for each stream."""
    from sse_starlette import EventSourceResponse
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    queues: set[asyncio.Queue[str]] = set()

    async def read() -> AsyncIterator[dict[str, str]]:
        queue = asyncio.Queue[str]()
        queues.add(queue)
        try:
            while True:
                yield {"data": await queue.get()}
        finally:
            queues.discard(queue)

    async def stream(_request: Request) -> Response:
        return EventSourceResponse(read())

    async def publish(_number: int, data: dict[str, Any]) -> None:
        text = json.dumps(data)
        for queue in queues:
            queue.put_nowait(text)

    return commanded(Starlette(routes=[Route("/events", stream)]), publish)


def streaming_response() -> ASGIApp:
    """Starlette's StreamingResponse by hand: a queue for each stream, one encoding for all."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    queues: set[asyncio.Queue[bytes]] = set()

    async def read() -> AsyncIterator[bytes]:
        queue = asyncio.Queue[bytes]()
        queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            queues.discard(queue)

    async def stream(_request: Request) -> Response:
        return StreamingResponse(read(), media_type="text/event-stream")

    async def publish(_number: int, data: dict[str, Any]) -> None:
        chunk = b"data: %b\n\n" % json.dumps(data).encode()
        for queue in queues:
            queue.put_nowait(chunk)

    return commanded(Starlette(routes=[Route("/events", stream)]), publish)
