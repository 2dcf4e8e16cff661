"""A Quart app: its context of its own, its background tasks, its sockets."""

import asyncio
from collections.abc import AsyncIterator

from quart import Quart, Response, current_app, request, websocket

from tests.wire.differential.vantage import gate, hear, heard, note

app = Quart(__name__)


def _tag() -> str:
    return request.headers["x-case"]


@app.get("/plain")
async def plain() -> Response:
    response = Response("plain\n", headers={"X-Odd-CASE": "Yes"})
    response.set_cookie("session", "a")
    response.set_cookie("lang", "de")
    return response


@app.get("/empty")
async def empty() -> str:
    return ""


@app.get("/status/<int:code>")
async def status(code: int) -> tuple[str, int, dict[str, str]]:
    return "", code, {"etag": '"1"'}


@app.get("/huge")
async def huge() -> bytes:
    return b"0123456789abcdef" * 200_000


@app.post("/echo")
async def echo() -> bytes:
    data = b""
    async for chunk in request.body:
        data += chunk
    return b"%d bytes %.40b\n" % (len(data), data)


@app.get("/stream")
async def stream() -> Response:
    return _unhurried(Response(_chunks(_tag(), "first\n", "second\n", "third\n")))


@app.get("/sse")
async def sse() -> Response:
    return _unhurried(Response(_chunks(_tag(), "data: one\n\n", "data: two\n\n"), mimetype="text/event-stream"))


@app.get("/leaves")
async def leaves() -> Response:
    return _unhurried(Response(_watched(_tag())))


@app.get("/raises")
async def raises() -> str:
    raise LookupError("raised before the start")


@app.get("/raises-late")
async def raises_late() -> Response:
    async def chunks() -> AsyncIterator[str]:
        yield "first\n"
        raise LookupError("raised after the start")

    return _unhurried(Response(chunks()))


@app.get("/background")
async def background() -> str:
    app.add_background_task(_work, _tag())
    return "done\n"


@app.get("/context")
async def context() -> str:
    before = heard()
    hear("set by the app")
    return before


@app.get("/threaded")
def threaded() -> str:
    return heard()


@app.get("/state")
async def state() -> str:
    return str(current_app.config["POOL"])


def _unhurried(response: Response) -> Response:
    response.timeout = None
    return response


async def _chunks(tag: str, first: str, *others: str) -> AsyncIterator[str]:
    yield first
    await gate(tag)
    for other in others:
        yield other


async def _watched(tag: str) -> AsyncIterator[str]:
    try:
        yield "first\n"
        note(tag, "streaming")
        await gate(tag)
        yield "second\n"
    finally:
        note(tag, "clean-up")


async def _work(tag: str) -> None:
    await gate(tag)
    note(tag, "background work done")


@app.websocket("/ws/echo")
async def ws_echo() -> None:
    tag = websocket.headers["x-case"]
    try:
        while True:
            await websocket.send(await websocket.receive())
    except asyncio.CancelledError:
        note(tag, "cancelled")
        raise


@app.websocket("/ws/chosen")
async def ws_chosen() -> None:
    offered = websocket.requested_subprotocols
    await websocket.accept(subprotocol=offered[-1], headers={"x-chosen": "1"})
    await websocket.send(",".join(offered))
    await websocket.close(4000, "no more to say ü")


@app.websocket("/ws/refused")
async def ws_refused() -> None:
    await websocket.close(4003, "not today")


@app.websocket("/ws/denied")
async def ws_denied() -> tuple[str, int]:
    return "not today\n", 401


@app.websocket("/ws/raises")
async def ws_raises() -> None:
    raise LookupError("raised before the accept")


@app.websocket("/ws/raises-late")
async def ws_raises_late() -> None:
    await websocket.accept()
    await websocket.send("first")
    raise LookupError("raised after the accept")


@app.before_serving
async def begin() -> None:
    hear("set by the lifespan")
    app.config["POOL"] = "of the lifespan"


@app.after_serving
async def end() -> None:
    note("lifespan", "shut down")
