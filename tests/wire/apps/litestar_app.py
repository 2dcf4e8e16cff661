from typing import Any

from litestar import Litestar, MediaType, WebSocket, get, post, websocket

from tests.wire.apps.marks import PUBLIC, admin


@get(["/admin", "/admin/users"], media_type=MediaType.TEXT, sync_to_thread=False)
def guarded() -> str:
    return admin("litestar")


@post(["/admin", "/admin/users"], media_type=MediaType.TEXT, sync_to_thread=False)
def guarded_post() -> str:
    return admin("litestar")


@get("/public", media_type=MediaType.TEXT, sync_to_thread=False)
def public() -> str:
    return PUBLIC


@get("/items/{id:str}", media_type=MediaType.TEXT, sync_to_thread=False)
def item(id: str) -> str:  # noqa: A002  the path's own name for it
    return id


@websocket("/admin/ws")
async def socket(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    await socket.send_text(admin("litestar"))
    await socket.close()


app = Litestar([guarded, guarded_post, public, item, socket], openapi_config=None)
