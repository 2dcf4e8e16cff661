"""A FastAPI app: models, dependencies that yield, nested routers, threads for plain functions."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Header, Request, Response, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel

from tests.wire.differential.sites import starlette as shared
from tests.wire.differential.vantage import gate_for_threads, hear, heard, note

Tag = Annotated[str, Header(alias="x-case")]


class Order(BaseModel):
    """What is posted."""

    name: str
    amount: int = 1


async def opened(x_case: Tag = "") -> AsyncIterator[str]:
    hear("set by a dependency")
    yield x_case
    note(x_case, "dependency closed")


inner, outer = APIRouter(prefix="/inner"), APIRouter(prefix="/below")


@inner.get("/{number}")
async def nested(number: int, tag: Annotated[str, Depends(opened)]) -> dict[str, object]:
    return {"number": number, "heard": heard()}


outer.include_router(inner)
app = FastAPI(lifespan=shared.lifespan)
app.include_router(outer)
app.add_middleware(shared.Hearing)


@app.get("/plain")
async def plain(response: Response) -> dict[str, str]:
    response.set_cookie("session", "a")
    response.set_cookie("lang", "de")
    response.headers["X-Odd-CASE"] = "Yes"
    return {"plain": "ü"}


@app.get("/empty")
async def empty() -> None: ...


@app.get("/status/{code}")
async def status(code: int) -> Response:
    return Response(status_code=code, headers={"etag": '"1"'})


@app.post("/echo")
async def echo(request: Request) -> Response:
    data = await request.body()
    return Response(b"%d bytes %.40b\n" % (len(data), data))


@app.post("/model")
async def model(order: Order) -> Order:
    return order


@app.get("/background")
def background(tasks: BackgroundTasks, x_case: Tag = "") -> PlainTextResponse:
    def work() -> None:
        gate_for_threads(x_case)
        note(x_case, "background work done")

    tasks.add_task(work)
    return PlainTextResponse("done\n")


@app.get("/leaves")
async def leaves(tag: Annotated[str, Depends(opened)]) -> StreamingResponse:
    return StreamingResponse(shared._watched(tag))


@app.websocket("/ws/echo")
async def ws_echo(socket: WebSocket) -> None:
    await shared.ws_echo(socket)


for path in ("/huge", "/stream", "/sse", "/waits", "/raises", "/raises-late", "/context", "/threaded", "/state"):
    app.add_route(path, cast("Any", shared.HTTP[path]))  # sync and async ones in one dict
for path in ("/ws/chosen", "/ws/refused", "/ws/denied", "/ws/raises", "/ws/raises-late"):
    app.add_api_websocket_route(path, shared.WEBSOCKET[path])
