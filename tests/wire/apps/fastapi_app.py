from fastapi import FastAPI, WebSocket
from fastapi.responses import PlainTextResponse

from tests.wire.apps.marks import PUBLIC, admin

app = FastAPI(default_response_class=PlainTextResponse)
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE"]


@app.api_route("/admin", methods=METHODS)
@app.api_route("/admin/users", methods=METHODS)
def guarded() -> str:
    return admin("fastapi")


@app.get("/public")
async def public() -> str:
    return PUBLIC


@app.get("/items/{id}")
async def item(id: str) -> str:  # noqa: A002  the path's own name for it
    return id


@app.websocket("/admin/ws")
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(admin("fastapi"))
    await websocket.close()
