"""`Narthex(app, ...)` in a module, as somebody serves it with a server's own command line: what test_boot serves.

The environment says what is in it: BOOT_GUEST the app, BOOT_CONFIG the configuration as JSON, BOOT_DIARY a file where
everything that starts and stops writes a line.
"""

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount

from narthex import Exchange, House, Narthex, Settings, hookimpl
from narthex.asgi import ASGIApp, Receive, Scope, Send
from narthex.verdict import Header


def note(line: str) -> None:
    """Write a line into the diary, at once and whole."""
    with Path(os.environ["BOOT_DIARY"]).open("a") as diary:
        diary.write(f"{line}\n")


class DiarySettings(Settings):
    """What `start` does besides writing it down."""

    slow: float = 0
    fail: bool = False


class Diary:
    """Writes down when it starts and stops."""

    name = "diary"
    Settings = DiarySettings

    def __init__(self, settings: DiarySettings, house: House) -> None:
        self._settings = settings
        self._name = house.instance
        self._open = AsyncExitStack()

    @hookimpl
    async def start(self) -> None:
        await asyncio.sleep(self._settings.slow)
        if self._settings.fail:
            raise RuntimeError("the diary has no pages left")
        # As an exit stack with a task group inside would, this insists on being left by the task that entered it.
        await self._open.enter_async_context(_one_task())
        note(f"{self._name} up")

    @hookimpl
    async def stop(self) -> None:
        await self._open.aclose()
        note(f"{self._name} down")

    @hookimpl
    def respond(self, exchange: Exchange) -> list[Header]:
        return [(b"x-diary", b"open")]


@asynccontextmanager
async def _one_task() -> AsyncIterator[None]:
    task = asyncio.current_task()
    yield
    if asyncio.current_task() is not task:
        note("left by another task")


async def _reply(scope: Scope, send: Send) -> None:
    told = {"pid": os.getpid(), "greeting": scope.get("state", {}).get("greeting"), "path": scope["path"]}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


async def tidy(scope: Scope, receive: Receive, send: Send) -> None:
    """An app with a lifespan and state."""
    if scope["type"] != "lifespan":
        await _reply(scope, send)
        return
    await receive()
    note("app up")
    if "state" in scope:
        scope["state"]["greeting"] = "hello"
    await send({"type": "lifespan.startup.complete"})
    await receive()
    note("app down")
    await send({"type": "lifespan.shutdown.complete"})


async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
    """An app whose start-up fails, as it is said."""
    if scope["type"] != "lifespan":
        await _reply(scope, send)
        return
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "the app found no database"})


@asynccontextmanager
async def _broken(_app: object) -> AsyncIterator[None]:
    if _app:
        raise RuntimeError("the app found no database")
    yield


async def http_only(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that knows no lifespan, and says so by raising."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await _reply(scope, send)


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that leaves its lifespan without a word."""
    if scope["type"] == "http":
        await _reply(scope, send)


GUESTS: Mapping[str, Callable[[Scope, Receive, Send], Awaitable[None]]] = {
    "tidy": tidy,
    "refuses": refuses,
    "raises": Starlette(lifespan=_broken),
    "http only": http_only,
    "silent": silent,
}


app: ASGIApp = Narthex(GUESTS[os.environ["BOOT_GUEST"]], json.loads(os.environ["BOOT_CONFIG"]))
parent = Starlette(routes=[Mount("/sub", app=app)])
if threading.active_count() > 1:
    note("a thread was made on import")
