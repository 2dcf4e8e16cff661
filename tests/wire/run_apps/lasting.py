"""A raw ASGI app whose exchanges do not end by themselves."""

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Events and silence without end, an echo, and the process id at every other path."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await _socket(receive, send)
    elif scope["path"] == "/events":
        await _start(send, b"text/event-stream")
        for number in range(1_000_000):
            await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
            await asyncio.sleep(0.05)
    elif scope["path"] == "/silent":
        await _start(send, b"text/event-stream")
        await send({"type": "http.response.body", "body": b"data: 0\n\n", "more_body": True})
        await asyncio.Event().wait()
    else:
        await _start(send, b"text/plain")
        await send({"type": "http.response.body", "body": b"%d" % os.getpid()})


async def _start(send: Send, kind: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})


async def _socket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "text": message.get("text") or ""})
