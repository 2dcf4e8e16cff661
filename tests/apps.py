"""Small raw ASGI apps that remember what they were given."""

from collections.abc import Awaitable, Callable
from typing import Any

from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.testing import Hello

__all__ = ["Hello", "app_of", "body", "calls", "http", "start"]


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(content: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


def http(function: Callable[[Scope, Receive, Send], Awaitable[Any]]) -> ASGIApp:
    """An app of a function that sees http and websocket only; lifespan is unknown to it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError("no lifespan")
        await function(scope, receive, send)

    return app


def calls(function: Callable[[], Any]) -> ASGIApp:
    """An app that calls a function, awaits what it gives if that can be awaited, and answers 200 "app"."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        given = function()
        if hasattr(given, "__await__"):
            await given
        await send(start())
        await send(body(b"app"))

    return http(app)


def app_of(function: Callable[[Receive, Send], Awaitable[Any]]) -> ASGIApp:
    """An app of a function that needs no scope."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await function(receive, send)

    return http(app)
