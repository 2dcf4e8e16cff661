"""Starlette."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from narthex import require_auth
from tests.wire.guarded.facts import WRONG, engineer, facts


@engineer
def plain(request: Request) -> Response:
    return PlainTextResponse("app")


@engineer
async def waiting(request: Request) -> Response:
    return PlainTextResponse("app")


@require_auth
async def auth(request: Request) -> Response:
    return PlainTextResponse("app")


async def who(request: Request) -> Response:
    return JSONResponse(facts(request.scope, request.user, request.auth, request.headers.items()))


def who_plain(request: Request) -> Response:
    return JSONResponse(facts(request.scope, request.user, request.auth, request.headers.items()))


@engineer
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("app")
    await websocket.close()


def bare(request: Request) -> Response:
    return PlainTextResponse("app")


async def order(request: Request) -> Response:
    return PlainTextResponse(str(request.path_params["id"]))


routes = [
    Route("/orders/{id:int}", order),
    Route("/plain", plain),
    Route("/waiting", waiting),
    Route("/auth", auth),
    Route("/who", who),
]
app = Starlette(routes=[*routes, Route("/who-plain", who_plain), WebSocketRoute("/ws", socket)])
if WRONG:
    app.add_route("/bare", bare)
guarded = engineer(bare)  # too late: the table has the bare one
