"""Apps that end, fail and hang in every way a start can. Served from this directory, as `shop:...`."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Answer with the worker's process id; `/slow` takes a second, `/stream` never ends."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        sys.stderr.write("the app was shut down\n")
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(1)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    while scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"tick\n", "more_body": True})
        await asyncio.sleep(0.05)
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


def factory() -> object:
    return app


async def refusing(scope: Message, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "the database is gone"})


async def leaving(scope: Message, receive: Receive, send: Send) -> None:
    await receive()
    sys.exit(0)


async def hanging(scope: Message, receive: Receive, send: Send) -> None:
    await receive()
    sys.stderr.write("the app is starting\n")
    await asyncio.sleep(60)


async def dying(scope: Message, receive: Receive, send: Send) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def deaf(scope: Message, receive: Receive, send: Send) -> None:
    """Block the event loop for ever when asked to."""
    if scope["type"] == "lifespan":
        await app(scope, receive, send)
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        sys.stderr.write("deaf\n")
        while True:
            pass


def wsgi(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield repr(environ.get("REMOTE_USER")).encode()
    yield b" " + repr(sorted(name for name in environ if name.endswith(("USER", "SUBJECT")))).encode()


class Once:
    """An app whose second start fails: as when the database goes away while the house stands."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" and self._mark.exists():
            await refusing(scope, receive, send)
        await app(scope, receive, send)


once = Once(Path(os.environ.get("SHOP_MARK", "/nowhere")))
number = 3
