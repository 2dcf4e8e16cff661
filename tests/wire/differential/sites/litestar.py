"""A Litestar app: handlers, its own responses, streams, sockets and lifespan."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response, WebSocket, get, post, route, websocket
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import Cookie
from litestar.response import ServerSentEvent, Stream

from tests.wire.differential.vantage import case_of, gate, hear, heard, note

Asked = Request[Any, Any, Any]
Socket = WebSocket[Any, Any, Any]


def tag_of(request: Asked | Socket) -> str:
    return case_of(request.scope["headers"])


@route("/plain", http_method=["GET", "HEAD"])
async def plain() -> Response[str]:
    cookies = [Cookie("session", "a"), Cookie("lang", "de")]
    return Response("plain\n", headers={"X-Odd-CASE": "Yes"}, cookies=cookies, media_type="text/plain")


@get("/empty")
async def empty() -> None: ...


@get("/status/{code:int}")
async def status(code: int) -> Response[None]:
    return Response(None, status_code=code, headers={"etag": '"1"'})


@get("/huge")
async def huge() -> bytes:
    return b"0123456789abcdef" * 200_000


@post("/echo", status_code=200)
async def echo(request: Asked) -> bytes:
    data = b"".join([chunk async for chunk in request.stream()])
    return b"%d bytes %.40b\n" % (len(data), data)


@get("/stream")
async def stream(request: Asked) -> Stream:
    return Stream(_chunks(tag_of(request), "first\n", "second\n", "third\n"))


@get("/sse")
async def sse(request: Asked) -> ServerSentEvent:
    return ServerSentEvent(_chunks(tag_of(request), "one", "two"))


@get("/leaves")
async def leaves(request: Asked) -> Stream:
    return Stream(_watched(tag_of(request)))


@get("/raises")
async def raises() -> None:
    raise LookupError("raised before the start")


@get("/raises-late")
async def raises_late() -> Stream:
    async def chunks() -> AsyncIterator[str]:
        yield "first\n"
        raise LookupError("raised after the start")

    return Stream(chunks())


@get("/background")
async def background(request: Asked) -> Response[str]:
    return Response("done\n", background=BackgroundTask(_work, tag_of(request)))


@get("/context")
async def context() -> str:
    before = heard()
    hear("set by the app")
    return before


@get("/threaded", sync_to_thread=True)
def threaded() -> str:
    return heard()


@get("/state")
async def state(request: Asked) -> str:
    return str(request.app.state.pool)


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


@websocket("/ws/echo")
async def ws_echo(socket: Socket) -> None:
    await socket.accept()
    while (message := await socket.receive())["type"] == "websocket.receive":
        await socket.send({**message, "type": "websocket.send"})
    note(tag_of(socket), str(sorted(message.items())))


@websocket("/ws/chosen")
async def ws_chosen(socket: Socket) -> None:
    await socket.accept(subprotocols=socket.scope["subprotocols"][-1], headers={"x-chosen": "1"})
    await socket.send_text(",".join(socket.scope["subprotocols"]))
    await socket.close(4000, "no more to say ü")


@websocket("/ws/refused")
async def ws_refused(socket: Socket) -> None:
    await socket.close(4003, "not today")


@websocket("/ws/raises")
async def ws_raises(socket: Socket) -> None:
    raise LookupError("raised before the accept")


@websocket("/ws/raises-late")
async def ws_raises_late(socket: Socket) -> None:
    await socket.accept()
    await socket.send_text("first")
    raise LookupError("raised after the accept")


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    hear("set by the lifespan")
    app.state.pool = "of the lifespan"
    yield
    note("lifespan", "shut down")


PAGES = [plain, empty, status, huge, echo, stream, sse, leaves, raises, raises_late, background, context, threaded]
SOCKETS = [ws_echo, ws_chosen, ws_refused, ws_raises, ws_raises_late]
app = Litestar([*PAGES, state, *SOCKETS], lifespan=[lifespan])
