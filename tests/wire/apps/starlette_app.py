from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from tests.wire.apps.marks import PUBLIC, admin


async def guarded(request: Request) -> PlainTextResponse:
    return PlainTextResponse(admin("starlette"))


async def public(request: Request) -> PlainTextResponse:
    return PlainTextResponse(PUBLIC)


async def item(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.path_params["id"])


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(admin("starlette"))
    await websocket.close()


METHODS = ["GET", "POST", "PUT", "DELETE"]
app = Starlette(
    routes=[
        Route("/admin", guarded, methods=METHODS),
        Route("/admin/users", guarded, methods=METHODS),
        Route("/public", public),
        Route("/items/{id}", item),
        WebSocketRoute("/admin/ws", socket),
    ]
)
