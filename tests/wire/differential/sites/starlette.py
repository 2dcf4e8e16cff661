"""A Starlette app: routes, a mount, pure middleware, its own lifespan state."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from tests.wire.differential.vantage import case_of, gate, hear, heard, note


def tag_of(request: Request | WebSocket) -> str:
    return case_of(request.scope["headers"])


async def plain(request: Request) -> Response:
    response = PlainTextResponse("plain\n", headers={"X-Odd-CASE": "Yes"})
    response.set_cookie("session", "a")
    response.set_cookie("lang", "de")
    response.headers.append("x-twice", "1")
    response.headers.append("x-twice", "2")
    return response


async def empty(request: Request) -> Response:
    return Response()


async def status(request: Request) -> Response:
    return Response(status_code=request.path_params["code"], headers={"etag": '"1"'})


async def huge(request: Request) -> Response:
    return Response(b"0123456789abcdef" * 200_000)


async def echo(request: Request) -> Response:
    data = b""
    async for chunk in request.stream():
        data += chunk
    return Response(b"%d bytes %.40b\n" % (len(data), data))


async def stream(request: Request) -> Response:
    return StreamingResponse(_chunks(tag_of(request), "first\n", "second\n", "third\n"))


async def sse(request: Request) -> Response:
    events = _chunks(tag_of(request), "data: one\n\n", "data: two\n\n")
    return StreamingResponse(events, media_type="text/event-stream")


async def leaves(request: Request) -> Response:
    return StreamingResponse(_watched(tag_of(request)))


async def waits(request: Request) -> Response:
    tag = tag_of(request)
    note(tag, "waiting")
    while not await request.is_disconnected():
        await gate(tag, "look")
    note(tag, "gone")
    return Response()


async def raises(request: Request) -> Response:
    raise LookupError("raised before the start")


async def raises_late(request: Request) -> Response:
    async def chunks() -> AsyncIterator[str]:
        yield "first\n"
        raise LookupError("raised after the start")

    return StreamingResponse(chunks())


async def background(request: Request) -> Response:
    return PlainTextResponse("done\n", background=BackgroundTask(_work, tag_of(request)))


def threaded(request: Request) -> Response:
    told = heard()
    hear("set in a thread")
    return PlainTextResponse(f"{told}\n")


async def context(request: Request) -> Response:
    before = heard()
    hear("set by the app")
    return PlainTextResponse(f"{before}\n")


async def state(request: Request) -> Response:
    told = sorted((request.scope.get("state") or {}).items())
    return PlainTextResponse(f"{told}\n")


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


async def ws_echo(socket: WebSocket) -> None:
    await socket.accept()
    while (message := await socket.receive())["type"] == "websocket.receive":
        await socket.send({**message, "type": "websocket.send"})
    note(tag_of(socket), str(sorted(message.items())))


async def ws_chosen(socket: WebSocket) -> None:
    fields = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await socket.accept(subprotocol=socket.scope["subprotocols"][-1], headers=fields)
    await socket.send_text(",".join(socket.scope["subprotocols"]))
    await socket.close(4000, "no more to say ü")


async def ws_refused(socket: WebSocket) -> None:
    await socket.close(4003, "not today")


async def ws_denied(socket: WebSocket) -> None:
    await socket.send_denial_response(PlainTextResponse("not today\n", 401, {"www-authenticate": "Bearer"}))


async def ws_raises(socket: WebSocket) -> None:
    raise LookupError("raised before the accept")


async def ws_raises_late(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("first")
    raise LookupError("raised after the accept")


class Hearing:
    """Middleware that sets a context variable and a key of the scope."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/context":
            hear("set by middleware")
        scope["middleware"] = "was here"
        await self.app(scope, receive, send)


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[Mapping[str, Any]]:
    hear("set by the lifespan")
    yield {"pool": "of the lifespan"}
    note("lifespan", "shut down")


HTTP = {
    "/plain": plain,
    "/empty": empty,
    "/status/{code:int}": status,
    "/huge": huge,
    "/stream": stream,
    "/sse": sse,
    "/leaves": leaves,
    "/waits": waits,
    "/raises": raises,
    "/raises-late": raises_late,
    "/background": background,
    "/context": context,
    "/threaded": threaded,
    "/state": state,
}
WEBSOCKET = {
    "/ws/echo": ws_echo,
    "/ws/chosen": ws_chosen,
    "/ws/refused": ws_refused,
    "/ws/denied": ws_denied,
    "/ws/raises": ws_raises,
    "/ws/raises-late": ws_raises_late,
}
app = Starlette(
    routes=[
        *(Route(path, function) for path, function in HTTP.items()),
        Route("/echo", echo, methods=["POST"]),
        Mount("/below", routes=[Route("/plain", plain)]),
        *(WebSocketRoute(path, function) for path, function in WEBSOCKET.items()),
    ],
    middleware=[Middleware(Hearing)],
    lifespan=lifespan,
)
