"""Litestar."""

from typing import Any

from litestar import Litestar, Request, WebSocket, get, websocket

from narthex import require_auth
from tests.wire.guarded.facts import WRONG, engineer, facts


@get("/plain", sync_to_thread=True)
@engineer
def plain() -> str:
    return "app"


@get("/waiting")
@engineer
async def waiting() -> str:
    return "app"


@get("/auth")
@require_auth
async def auth() -> str:
    return "app"


@get("/who")
async def who(request: Request[Any, Any, Any]) -> Any:
    return facts(request.scope, request.user, request.auth, request.headers.items())


@get("/who-plain", sync_to_thread=True)
def who_plain(request: Request[Any, Any, Any]) -> Any:
    return facts(request.scope, request.user, request.auth, request.headers.items())


@get("/orders/{id:int}")
async def order() -> str:
    return "app"


@websocket("/ws")
@engineer
async def socket(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    await socket.send_text("app")
    await socket.close()


@get("/bare")
async def bare() -> str:
    return "app"


guarded = engineer(bare) if WRONG else None  # above the route decorator
app = Litestar([plain, waiting, auth, who, who_plain, order, socket, bare])
