"""FastAPI: guards on endpoints and on a dependency."""

from typing import Any

from fastapi import FastAPI, Request, WebSocket

from narthex import require_auth
from tests.wire.guarded.facts import engineer, facts, wrongly

app = FastAPI()


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
async def who(request: Request) -> Any:
    return facts(request.scope, request.user, request.auth, request.headers.items())


@app.get("/who-plain")
def who_plain(request: Request) -> Any:
    return facts(request.scope, request.user, request.auth, request.headers.items())


@app.get("/orders/{id}")
async def order(id: int) -> int:  # noqa: A002  the path's own name for it
    return id


@app.websocket("/ws")
@engineer
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("app")
    await websocket.close()


def bare() -> str:
    return "app"


wrongly(app.get("/bare"), bare)
