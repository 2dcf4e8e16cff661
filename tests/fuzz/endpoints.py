"""The endpoints of the fuzzed plugins: they note that they were reached, and with whose identity."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.websockets import WebSocket

from narthex import ContractError, current_identity
from narthex.asgi import ASGIApp, Receive, Scope, Send
from tests.fuzz.play import SECRET, Play, now_playing


class EndpointError(Exception):
    """Raised by an endpoint."""


def _enter(kind: str, scope: Any) -> Play:
    play = now_playing()
    play.wrapped = True  # its messages are Starlette's
    play.lawful = False
    play.enter(f"the {kind} endpoint", scope)
    identity = current_identity()
    if kind != "public" and identity is None:
        play.fault(f"the {kind} endpoint was reached by nobody")
    if kind == "permitted" and (identity is None or "admin" not in identity.roles):
        play.fault("an endpoint was reached without its permission")
    return play


def _noted(play: Play, response: Response) -> Any:
    """The response, whose own exceptions may leave the house."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await _noting(play, response, scope, receive, send)

    return app


async def _noting(play: Play, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    async def say(message: Any) -> None:
        await play.say(message, send)

    try:
        await app(scope, receive, say)
    except BaseException as error:
        play.left = play.mine(error)
        raise


def plain(kind: str) -> Callable[[Request], Awaitable[Any]]:
    """An endpoint that answers at once."""

    async def endpoint(request: Request) -> Any:
        play = _enter(kind, request.scope)
        await play.tick()
        return _noted(play, PlainTextResponse(kind))

    return endpoint


async def broken(request: Request) -> Response:
    """Raise."""
    play = _enter("known", request.scope)
    play.left = play.mine(EndpointError(SECRET))
    raise play.left


async def nothing(request: Request) -> Any:
    """Return what is no response."""
    _enter("public", request.scope).may_leave = ContractError
    return SECRET


async def streams(request: Request) -> Any:
    """Stream, with pauses."""
    play = _enter("known", request.scope)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            await play.tick()
            yield b"chunk"

    return _noted(play, StreamingResponse(chunks()))


async def socket(websocket: WebSocket) -> None:
    """Accept, echo, leave."""
    play = _enter("known", websocket.scope)

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        own = WebSocket(scope, receive, send)
        await own.accept()
        async for text in own.iter_text():
            await own.send_text(text)

    await _noting(play, echo, websocket.scope, websocket._receive, websocket._send)
