"""A Litestar app with its OpenAPI pages, a form with CSRF, sessions, streams and a socket."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from litestar import Litestar, Request, WebSocket, get, post, websocket
from litestar.config.cors import CORSConfig
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import (
    JsonRenderPlugin,
    RapidocRenderPlugin,
    RedocRenderPlugin,
    ScalarRenderPlugin,
    StoplightRenderPlugin,
    SwaggerRenderPlugin,
    YamlRenderPlugin,
)
from litestar.params import JSONBody
from litestar.response import ServerSentEvent, Stream


@dataclass
class Order:
    """What somebody wants."""

    customer: str
    quantity: int = 1


@get("/orders/{number:int}")
async def order() -> Order:
    return Order("ada")


@post("/orders")
async def take(data: JSONBody[Order]) -> Order:
    return data


@get("/visits")
async def visits(request: Request[Any, Any, Any]) -> dict[str, int]:
    count = request.session.get("count", 0) + 1
    request.set_session({"count": count})
    return {"count": count}


@get("/stream")
async def stream() -> Stream:
    async def lines() -> AsyncIterator[str]:
        for number in range(5):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return Stream(lines(), media_type="text/plain")


@get("/events")
async def events() -> ServerSentEvent:
    async def three() -> AsyncIterator[str]:
        for number in range(3):
            yield str(number)

    return ServerSentEvent(three())


@get("/fail")
async def fail() -> None:
    raise RuntimeError("on purpose")


@websocket("/ws")
async def echo(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept(subprotocols="chat")
    await socket.send_text((await socket.receive_text()).upper())
    await socket.close(4001, "enough")


PAGES = [
    *(ScalarRenderPlugin(), SwaggerRenderPlugin(), RedocRenderPlugin(), RapidocRenderPlugin()),
    *(StoplightRenderPlugin(), JsonRenderPlugin(), YamlRenderPlugin()),
]
app = Litestar(
    [order, take, visits, stream, events, fail, echo],
    cors_config=CORSConfig(allow_origins=["https://shop.example"]),
    middleware=[ServerSideSessionConfig().middleware],
    openapi_config=OpenAPIConfig("Shop", "1.0.0", render_plugins=PAGES),
)
