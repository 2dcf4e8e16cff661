"""Quart."""

from typing import Any

from quart import Quart, request, websocket

from narthex import require_auth
from tests.wire.guarded.facts import engineer, facts, wrongly

app = Quart(__name__)


@app.get("/plain")
@engineer
def plain() -> str:
    return "app"


@app.get("/waiting")
@engineer
async def waiting() -> str:
    return "app"


@app.get("/auth")
@require_auth
async def auth() -> str:
    return "app"


@app.get("/who")
async def who() -> Any:
    scope: Any = request.scope
    return facts(scope, scope["user"], scope["auth"], request.headers.items())


@app.get("/who-plain")
def who_plain() -> Any:
    scope: Any = request.scope
    return facts(scope, scope["user"], scope["auth"], request.headers.items())


@app.get("/orders/<int:id>")
async def order(id: int) -> str:  # noqa: A002  the path's own name for it
    return str(id)


@app.websocket("/ws")
@engineer
async def socket() -> None:
    await websocket.accept()
    await websocket.send("app")


def bare() -> str:
    return "app"


wrongly(app.get("/bare"), bare)
