"""Drives a house from start-up to shutdown, and reads the lines it wrote."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from narthex import Narthex
from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.exchange import Exchange, Hall
from narthex.plan import Plan
from narthex.proxies import TrustedProxies
from narthex.services import CorePermissions
from narthex.testing import drive, http_scope, websocket_scope


def http(path: str = "/", **more: Any) -> Scope:
    """A GET of this decoded path, whatever is in it."""
    return http_scope("GET", "/", **{"path": path, **more})


def websocket(path: str = "/ws") -> Scope:
    return websocket_scope("/", path=path)


def exchange(scope: Scope) -> Exchange:
    """An exchange of which nothing is known yet, begun at 1.0 and not ended."""
    return Exchange(scope, scope["type"], Plan(), Hall(TrustedProxies(()), CorePermissions), started=1.0)


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """A whole small app: "/boom" raises, "/missing" is 404, a websocket says "hé", all else answers "hello"."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hé"})
        await send({"type": "websocket.close"})
    elif scope["path"] == "/boom":
        raise ValueError("no luck")
    else:
        status = 404 if scope["path"] == "/missing" else 200
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})


@contextlib.asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[None]:
    """The app between lifespan start-up and shutdown."""
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()

    async def converse() -> None:
        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, to_app.get, from_app.put)

    life = asyncio.create_task(converse())
    to_app.put_nowait({"type": "lifespan.startup"})
    started = await from_app.get()
    assert started["type"] == "lifespan.startup.complete", started
    try:
        yield
    finally:
        to_app.put_nowait({"type": "lifespan.shutdown"})
        await from_app.get()
        await life


def logged(
    directory: Path,
    *scopes: Scope,
    app: ASGIApp = hello,
    logging: Mapping[str, object] | None = None,
    narthex: Mapping[str, object] | None = None,
    plugins: Mapping[str, Mapping[str, object]] | None = None,
) -> list[dict[str, Any]]:
    """Send the requests through a house with logging to a file; return its lines."""
    path = directory / "lines.jsonl"
    table = {"output": str(path), "capture": False, **(logging or {})}
    config = {"narthex": narthex or {}, "plugins": {"logging": table, **(plugins or {})}}

    async def go() -> None:
        house = Narthex(app, config)
        async with running(house):
            for scope in scopes:
                begin = "websocket.connect" if scope["type"] == "websocket" else "http.request"
                await drive(house, scope, [{"type": begin}])

    asyncio.run(go())
    return read(path)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
