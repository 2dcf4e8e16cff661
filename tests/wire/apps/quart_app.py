from quart import Quart, websocket

from tests.wire.apps.marks import PUBLIC, admin

app = Quart(__name__)
METHODS = ["GET", "POST", "PUT", "DELETE"]


@app.route("/admin", methods=METHODS)
@app.route("/admin/users", methods=METHODS)
async def guarded() -> str:
    return admin("quart")


@app.get("/public")
async def public() -> str:
    return PUBLIC


@app.get("/items/<id>")
async def item(id: str) -> str:  # noqa: A002  the path's own name for it
    return id


@app.websocket("/admin/ws")
async def socket() -> None:
    await websocket.send(admin("quart"))
