"""`exchange.route` in Starlette and FastAPI: the template that answered, with all mounts, whatever the spelling."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Host, Match, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from narthex import Exchange, Narthex
from narthex.asgi import ASGIApp, Receive, Scope, Send
from narthex.testing import config, drive, http_scope, request, websocket
from tests.apps import Hello
from tests.guests import eye


def ask(app: Any, line: str, headers: Iterable[tuple[str, str]] = (), **more: Any) -> tuple[int | None, str | None]:
    """Status and route of "GET /path"; a method WEBSOCKET opens one."""
    seen: list[Exchange] = []
    house = Narthex(app, config(eye=eye(seen)))
    method, _, target = line.partition(" ")
    if method == "WEBSOCKET":
        asyncio.run(websocket(house, target, headers=headers, **more))
    else:  # a client that stays: some frameworks drop the request of one that leaves
        asyncio.run(drive(house, http_scope(method, target, headers, **more), [{"type": "http.request"}]))
    return seen[0].status, seen[0].route


async def page(request: Request) -> Response:
    return PlainTextResponse(str(request.url))


async def other(request: Request) -> Response:
    return PlainTextResponse("other")


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


class Copying:
    """Middleware that hands on a copy, so that nothing of what the router sets comes back."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(dict(scope), receive, send)


WRAPS = pytest.mark.parametrize("wrap", [lambda app: app, Copying], ids=["shared scope", "copied scope"])


# -- Starlette


def starlette_app() -> Starlette:
    shop = Router([Route("/", page), Route("/items/{id:int}", page, methods=["GET", "POST"])])
    return Starlette(
        routes=[
            Route("/", page),
            Route("/orders/{id}", page),
            Route("/orders/{id}", other, methods=["PUT"]),
            Route("/files/{name:path}", page),
            Route("/slash/", page),
            Mount("/shops/{shop}", shop, middleware=[Middleware(Copying)]),
            Mount("/bare", Starlette(routes=[Route("/x", other)])),
            Mount("/static", StaticFiles(packages=[("starlette", ".")])),
            Mount("/raw", Hello()),
            Host("api.example", Router([Route("/host/{id}", page)])),
            WebSocketRoute("/ws/{room}", socket),
        ]
    )


STARLETTE = [
    ("GET /", 200, "/"),
    ("GET /orders/7", 200, "/orders/{id}"),
    ("HEAD /orders/7", 200, "/orders/{id}"),
    ("PUT /orders/7", 200, "/orders/{id}"),
    ("DELETE /orders/7", 405, "/orders/{id}"),
    ("GET /files/a/b/c", 200, "/files/{name}"),
    ("GET /shops/7/", 200, "/shops/{shop}/"),
    ("GET /shops/7/items/1", 200, "/shops/{shop}/items/{id}"),
    ("DELETE /shops/7/items/1", 405, "/shops/{shop}/items/{id}"),
    ("GET /shops/7/items/x", 404, None),
    ("GET /bare/x", 200, "/bare/x"),
    ("GET /bare/y", 404, None),
    ("GET /raw/anything", 200, "/raw/{path}"),
    ("GET /static/routing.py", 200, "/static/{path}"),
    ("GET /static/nothing.py", 404, "/static/{path}"),
    ("GET /slash", 307, None),
    ("GET /slash/", 200, "/slash/"),
    ("WEBSOCKET /ws/7", 101, "/ws/{room}"),
    ("WEBSOCKET /orders/7", 403, None),
    ("GET /ws/7", 404, None),
    ("GET /nothing", 404, None),
]


@WRAPS
@pytest.mark.parametrize(("line", "status", "route"), STARLETTE)
def test_starlettes_template_includes_its_mounts(line: str, status: int, route: str | None, wrap: Any) -> None:
    assert ask(wrap(starlette_app()), line) == (status, route)


def test_a_host_adds_nothing_to_the_template() -> None:
    assert ask(starlette_app(), "GET /host/1", [("host", "api.example:8000")]) == (200, "/host/{id}")
    assert ask(starlette_app(), "GET /host/1", [("host", "elsewhere.example")]) == (404, None)


@WRAPS
@pytest.mark.parametrize("root", ["/api", "/orders"])
def test_a_root_path_is_no_part_of_the_template(root: str, wrap: Any) -> None:
    seen = ask(wrap(starlette_app()), f"GET {root}/shops/7/items/1", root_path=root)
    assert seen == (200, "/shops/{shop}/items/{id}")


def test_below_a_parent_the_template_is_relative_to_the_app() -> None:
    seen: list[Exchange] = []
    house = Narthex(starlette_app(), config(eye=eye(seen)))
    parent = Starlette(routes=[Mount("/parent", house), Route("/orders/{id}", page)])
    for target in ("/parent/orders/7", "/parent/nothing"):
        asyncio.run(request(parent, "GET", target))
    assert [exchange.route for exchange in seen] == ["/orders/{id}", None]
    assert [exchange.route_path for exchange in seen] == ["/orders/7", "/nothing"]


def test_what_a_mount_does_to_the_scope_changes_no_path_of_the_exchange() -> None:
    seen: list[Exchange] = []
    asyncio.run(request(Narthex(starlette_app(), config(eye=eye(seen))), "GET", "/bare/x"))
    assert (seen[0].path, seen[0].route_path) == ("/bare/x", "/bare/x")


def test_one_app_mounted_twice_has_two_templates() -> None:
    shop = Starlette(routes=[Route("/items/{id}", page)])
    app = Starlette(routes=[Mount("/a", shop), Mount("/b/{b}", shop)])
    assert [ask(app, f"GET {path}/items/1")[1] for path in ("/a", "/b/2")] == ["/a/items/{id}", "/b/{b}/items/{id}"]


def test_a_route_that_comes_while_the_app_serves_has_its_template() -> None:
    app = Starlette(routes=[Route("/a", page)])
    assert ask(app, "GET /a") == (200, "/a")
    app.router.add_route("/b/{b}", page)
    app.router.add_route("/c/{c}", other)
    assert [ask(app, line)[1] for line in ("GET /a", "GET /b/1", "GET /c/1")] == ["/a", "/b/{b}", "/c/{c}"]


def test_a_route_of_the_apps_own_making_has_no_template() -> None:
    class Own(BaseRoute):
        def matches(self, scope: Any) -> tuple[Match, Any]:
            return Match.FULL, {}

        async def handle(self, scope: Any, receive: Any, send: Any) -> None:
            await PlainTextResponse("own")(scope, receive, send)

    assert ask(Starlette(routes=[Own()]), "GET /x") == (200, None)


# -- FastAPI


async def order(id: int = 0) -> int:  # noqa: A002  the path's own name for it
    return id


async def room(websocket: WebSocket) -> None:
    await socket(websocket)


def fastapi_app() -> FastAPI:
    app, sub, outer, inner = FastAPI(), FastAPI(), APIRouter(prefix="/outer"), APIRouter()
    inner.get("/orders/{id}")(order)
    inner.websocket("/ws/{room}")(room)
    inner.add_route("/plain/{id}", page)
    inner.mount("/below/{b}", Starlette(routes=[Route("/x", other)]))
    outer.include_router(inner, prefix="/inner/{tenant}")
    app.include_router(outer)
    app.include_router(inner, prefix="/again")
    app.get("/orders/{id}")(order)
    app.api_route("/both/a", methods=["GET", "POST"])(order)
    app.api_route("/both/b", methods=["GET", "POST"])(order)
    sub.include_router(inner, prefix="/v1")
    sub.get("/fail")(lambda: 1 / 0)
    app.mount("/sub/{sub}", sub)
    return app


FASTAPI = [
    ("GET /orders/7", 200, "/orders/{id}"),
    ("GET /orders/x", 422, "/orders/{id}"),
    ("HEAD /orders/7", 405, "/orders/{id}"),
    ("POST /both/b", 200, "/both/b"),
    ("GET /outer/inner/t/orders/7", 200, "/outer/inner/{tenant}/orders/{id}"),
    ("PUT /outer/inner/t/orders/7", 405, "/outer/inner/{tenant}/orders/{id}"),
    ("GET /again/orders/7", 200, "/again/orders/{id}"),
    ("GET /again/plain/7", 200, "/again/plain/{id}"),
    ("GET /again/below/1/x", 200, "/again/below/{b}/x"),
    ("GET /again/below/1/y", 404, None),
    ("WEBSOCKET /outer/inner/t/ws/1", 101, "/outer/inner/{tenant}/ws/{room}"),
    ("GET /sub/1/v1/orders/7", 200, "/sub/{sub}/v1/orders/{id}"),
    ("GET /sub/1/fail", 500, "/sub/{sub}/fail"),
    ("GET /sub/1/v1", 404, None),
    ("GET /orders/7/", 307, None),
    ("GET /docs", 200, "/docs"),
    ("GET /sub/1/docs", 200, "/sub/{sub}/docs"),
    ("GET /nothing", 404, None),
]


@WRAPS
@pytest.mark.parametrize(("line", "status", "route"), FASTAPI)
def test_fastapis_template_includes_routers_and_mounts(line: str, status: int, route: str | None, wrap: Any) -> None:
    assert ask(wrap(fastapi_app()), line) == (status, route)


def test_a_prefix_of_fastapis_own_is_no_part_of_the_template() -> None:
    app = fastapi_app()
    app.root_path = "/api"
    assert ask(app, "GET /api/again/orders/7") == (200, "/again/orders/{id}")
