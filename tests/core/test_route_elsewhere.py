"""`exchange.route` in Litestar, Quart, Django and apps mounted across frameworks; when it is known, and when not."""

import asyncio
from typing import Any

import pytest
from a2wsgi import WSGIMiddleware
from fastapi import FastAPI
from litestar import Litestar, WebSocket, asgi, post
from litestar import Router as LitestarRouter
from litestar import get as litestar_get
from litestar import websocket as litestar_websocket
from litestar.static_files import create_static_files_router
from quart import Blueprint, Quart, redirect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from narthex import Deny, Exchange, Narthex, current_exchange, require_role
from narthex.frameworks.django import spelt
from narthex.testing import config, drive, http_scope, request
from tests.apps import Hello
from tests.core.test_route_templates import Copying, ask
from tests.guests import eye, offer


async def page(request: Request) -> Response:
    return PlainTextResponse(str(request.url))


starlette_part = Starlette(routes=[Route("/orders/{id}", page), Mount("/deep/{deep}", routes=[Route("/x", page)])])

# -- Litestar


def litestar_app() -> Any:
    @litestar_get("/orders/{id:int}", sync_to_thread=False)
    def order() -> str:
        return "read"

    @post("/orders/{id:int}", sync_to_thread=False)
    def write() -> str:
        return "written"

    @litestar_get(["/", "/plain"], sync_to_thread=False)
    def plain() -> str:
        return "plain"

    @litestar_get("/fail", sync_to_thread=False)
    def fail() -> None:
        raise RuntimeError

    @litestar_websocket("/ws/{room:str}")
    async def listen(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        await socket.close()

    mounts = [asgi("/raw", is_mount=True, copy_scope=True)(Hello().__call__)]
    shop = LitestarRouter("/shops/{shop:str}", route_handlers=[order])
    files = create_static_files_router("/static", ["."])
    parts: Any = [order, write, plain, fail, listen, shop, files, *mounts]
    return Litestar(parts, openapi_config=None, logging_config=None)


LITESTAR = [
    ("GET /", 200, "/"),
    ("GET /plain/", 200, "/plain"),
    ("GET /orders/7", 200, "/orders/{id}"),
    ("POST /orders/7", 201, "/orders/{id}"),
    ("DELETE /orders/7", 405, "/orders/{id}"),
    ("HEAD /orders/7", 405, "/orders/{id}"),
    ("OPTIONS /orders/7", 204, "/orders/{id}"),
    ("GET /orders/x", 404, None),
    ("GET /shops/1/orders/7", 200, "/shops/{shop}/orders/{id}"),
    ("GET /static/pyproject.toml", 200, "/static/{file_path}"),
    ("GET /raw/x/y", 200, "/raw/{path}"),
    ("GET /fail", 500, "/fail"),
    ("WEBSOCKET /ws/1", 101, "/ws/{room}"),
    ("GET /ws/1", 405, "/ws/{room}"),
    ("GET /nothing", 404, None),
]


@pytest.mark.parametrize(("line", "status", "route"), LITESTAR)
def test_litestars_template_is_that_of_its_router(line: str, status: int, route: str | None) -> None:
    assert ask(litestar_app(), line) == (status, route)


def test_what_litestar_does_to_the_scope_changes_no_path_of_the_exchange() -> None:
    seen: list[Exchange] = []
    asyncio.run(request(Narthex(litestar_app(), config(eye=eye(seen))), "GET", "/api/plain/", root_path="/api"))
    assert (seen[0].path, seen[0].route_path, seen[0].route) == ("/api/plain/", "/plain/", "/plain")


# -- Quart


def quart_app() -> Any:
    app = Quart(__name__, static_folder=".", static_url_path="/static")
    shop = Blueprint("shop", __name__)

    @app.get("/orders/<int:id>")
    @shop.get("/<any(a, b):kind>/<string(length=2):id>")
    async def order(id: Any, kind: str = "", shop: str = "") -> str:  # noqa: A002
        return str(id)

    @app.get("/slash/")
    async def slash() -> str:
        return ""

    @app.get("/away")
    async def away() -> Any:
        return redirect("/slash/")

    @app.websocket("/ws/<room>")
    async def listen(room: str) -> None: ...

    app.register_blueprint(shop, url_prefix="/shops/<shop>")
    return app


QUART = [
    ("GET /orders/7", 200, "/orders/{id}"),
    ("HEAD /orders/7", 200, "/orders/{id}"),
    ("POST /orders/7", 405, "/orders/{id}"),
    ("OPTIONS /orders/7", 200, "/orders/{id}"),
    ("GET /orders/x", 404, None),
    ("GET /shops/1/b/no", 200, "/shops/{shop}/{kind}/{id}"),
    ("GET /static/test_app.py", 200, "/static/{filename}"),
    ("GET /slash", 308, None),
    ("GET /away", 302, "/away"),
    ("GET /ws/1", 400, None),
    ("GET /nothing", 404, None),
]


@pytest.mark.parametrize(("line", "status", "route"), QUART)
def test_quarts_template_is_the_rule_in_braces(line: str, status: int, route: str | None) -> None:
    assert ask(quart_app(), line) == (status, route)


@pytest.mark.parametrize(
    ("path", "status", "route"),
    [("/api/orders/7", 200, "/orders/{id}"), ("/api/", 404, None), ("/api", 404, None), ("/orders/7", 404, None)],
)
def test_quart_knows_only_what_is_below_its_root_path(path: str, status: int, route: str | None) -> None:
    assert ask(quart_app(), f"GET {path}", root_path="/api") == (status, route)


# -- Django


async def django_view(request: Any, **params: Any) -> Any:
    from django.http import Http404, HttpResponse

    if params.get("id") == "gone":
        raise Http404
    return HttpResponse("view")


def django_app(*patterns: Any, **settings: Any) -> Any:
    from django.test import override_settings
    from django.urls import include, path, re_path

    from tests.core import django_guarded  # configures Django

    assert django_guarded
    below = [path("<slug:name>/", django_view), re_path(r"^(?P<id>[0-9]{1,3})-(\w+)\.html$", django_view)]
    known = (
        path("", django_view),
        path("orders/<id>", django_view),
        path("shops/<int:shop>/", include(below)),
        re_path(r"^old/(?:page-(?P<page>\d+)/)?$", django_view),
        *patterns,
    )
    return override_settings(ROOT_URLCONF=known, **settings)


DJANGO = [
    ("GET /", 200, "/"),
    ("GET /orders/7", 200, "/orders/{id}"),
    ("HEAD /orders/7", 200, "/orders/{id}"),
    ("GET /orders/gone", 404, "/orders/{id}"),
    ("GET /shops/1/x/", 200, "/shops/{shop}/{name}/"),
    ("GET /shops/1/x", 301, None),
    ("GET /shops/1/12-tea.html", 200, "/shops/{shop}/{id}-{}.html"),
    ("GET /old/page-3/", 200, "/old/page-{page}/"),
    ("GET /nothing", 404, None),
]


@pytest.mark.parametrize(("line", "status", "route"), DJANGO)
def test_djangos_template_has_one_spelling(line: str, status: int, route: str | None) -> None:
    from django.core.asgi import get_asgi_application

    with django_app(MIDDLEWARE=["django.middleware.common.CommonMiddleware"]):
        assert ask(get_asgi_application(), line) == (status, route)
        assert ask(get_asgi_application(), line.replace(" ", " /api"), root_path="/api") == (status, route)


def test_djangos_urls_in_several_languages_have_a_template_each() -> None:
    from django.conf.urls.i18n import i18n_patterns
    from django.core.asgi import get_asgi_application
    from django.urls import path

    middleware = ["django.middleware.locale.LocaleMiddleware"]
    urls = i18n_patterns(path("about/<id>", django_view), prefix_default_language=False)
    with django_app(*urls, MIDDLEWARE=middleware):
        asked = [ask(get_asgi_application(), f"GET {path}") for path in ("/de/about/1", "/about/1", "/xx/about/1")]
    assert asked == [(200, "/de/about/{id}"), (200, "/about/{id}"), (404, None)]


@pytest.mark.parametrize(
    ("route", "template"),
    [
        ("orders/<int:id>/", "/orders/{id}/"),
        (r"^articles/(?P<year>[0-9]{4})/(?P<slug>[\w-]+)/$", "/articles/{year}/{slug}/"),
        (r"^(?:a|b)/([)(]+)/c\.txt\Z", "/a|b/{}/c.txt"),
        (r"^x/(?P<a>(?:y(z))+)/(?!no)end/?$", "/x/{a}/end/"),
        (r"^plain\d$", r"/plain\d"),
        (r"admin/(?P<url>.*)$", "/admin/{url}"),
        ("", "/"),
        ("(", "/{}"),
    ],
)
def test_a_route_of_djangos_is_spelt_with_braces(route: str, template: str) -> None:
    assert spelt(route) == template


# -- across frameworks


def test_an_app_of_another_framework_is_asked_below_the_prefix() -> None:
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application

    with django_app():
        wsgi: Any = WSGIMiddleware(get_wsgi_application())
        parts: list[BaseRoute] = [Mount("/dj/{x}", get_asgi_application()), Mount("/wsgi", wsgi)]
        parts += [Mount("/quart", Copying(quart_app())), Mount("/lite", litestar_app()), Route("/own", page)]
        app = Starlette(routes=parts)
        lines = ["/dj/1/orders/7", "/dj/1/nothing", "/wsgi/orders/7", "/quart/orders/7", "/lite/orders/7", "/own"]
        routes = [ask(app, f"GET {path}")[1] for path in lines]
    assert routes == [
        *("/dj/{x}/orders/{id}", None, "/wsgi/orders/{id}"),
        *("/quart/orders/{id}", "/lite/orders/{id}", "/own"),
    ]


def test_litestar_leads_to_what_is_mounted_there() -> None:
    parts = [asgi("/part", is_mount=True, copy_scope=True)(part) for part in (fastapi_part(),)]
    app = Litestar(parts, openapi_config=None)
    assert ask(app, "GET /part/orders/7/") == (200, "/part/orders/{id}/")


def fastapi_part() -> FastAPI:
    part = FastAPI()
    part.get("/orders/{id}/")(django_free)
    return part


async def django_free(id: str) -> str:  # noqa: A002  the path's own name for it
    return id


@pytest.mark.parametrize("app", [Hello(), WSGIMiddleware(lambda environ, start: [])], ids=["raw", "WSGI"])
def test_an_app_of_no_framework_has_no_templates(app: Any) -> None:
    assert ask(app, "GET /x")[1] is None


# -- when


def test_nobody_is_told_before_the_response_has_started() -> None:
    told: list[str | None] = []

    async def endpoint(request: Request) -> Response:
        exchange = current_exchange()
        told.append(exchange.route if exchange else "")
        return PlainTextResponse("")

    def look(exchange: Exchange) -> None:
        told.append(exchange.route)

    tables = config(a=offer(vet=look, respond=look, observe=look))
    asyncio.run(request(Narthex(Starlette(routes=[Route("/a/{a}", endpoint)]), tables), "GET", "/a/1"))
    assert told == [None, None, "/a/{a}", "/a/{a}"]


def test_what_the_house_refuses_has_no_route_and_what_a_guard_in_the_app_refuses_has() -> None:
    seen: list[Exchange] = []

    @require_role("admin")
    async def guarded(request: Request) -> Response:
        return PlainTextResponse("secret")

    app = Starlette(routes=[Route("/a/{a}", guarded), Route("/b/{b}", page)])
    deny = offer(vet=lambda exchange: Deny(403, "closed") if exchange.path.startswith("/b") else None)
    house = Narthex(app, config(deny=deny, eye=eye(seen)))
    for target in ("/a/1", "/b/1"):
        asyncio.run(request(house, "GET", target))
    assert [(exchange.status, exchange.route) for exchange in seen] == [(401, "/a/{a}"), (403, None)]


def test_in_a_scope_that_was_dressed_the_route_is_found_too() -> None:
    seen: list[Exchange] = []
    tables = {
        "narthex": {"expose": ["starlette", "headers", "client"]},
        **config(person={"use": "tests.guests:Person"}),
    }
    tables["plugins"]["eye"] = eye(seen)
    asyncio.run(request(Narthex(starlette_part, tables), "GET", "/deep/1/x", [("x-test-user", "alice")]))
    assert seen[0].route == "/deep/{deep}/x"


def test_the_app_is_asked_for_the_template_only_where_somebody_reads_it_and_once() -> None:
    asked: list[str] = []

    class Watched(Starlette):
        @property
        def routes(self) -> Any:
            asked.append("routes")
            return super().routes

    app = Watched(routes=[Route("/a", page)])
    asyncio.run(request(Narthex(app, config(offered=offer(observe=lambda exchange: None))), "GET", "/a"))
    assert asked == []
    seen: list[Exchange] = []
    asyncio.run(request(Narthex(app, config(eye=eye(seen))), "GET", "/a"))
    asked.clear()
    assert (seen[0].route, seen[0].route, len(asked)) == ("/a", "/a", 1)


def test_templates_are_as_many_as_routes_whatever_is_asked_for() -> None:
    seen: list[Exchange] = []
    house = Narthex(starlette_part, config(eye=eye(seen)))

    async def work() -> None:
        for number in range(200):
            await request(house, "GET", f"/orders/{number}")
            await request(house, "GET", f"/deep/{number}/x")
            await request(house, "GET", f"/{number}")

    asyncio.run(work())
    assert {exchange.route for exchange in seen} == {"/orders/{id}", "/deep/{deep}/x", None}


def test_an_app_whose_router_cannot_be_asked_has_no_templates(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Starlette):
        @property
        def routes(self) -> Any:
            raise LookupError

    seen: list[Exchange] = []
    house = Narthex(Broken(routes=[Route("/a", page)]), config(eye=eye(seen)))
    reply = asyncio.run(drive(house, http_scope("GET", "/a"), []))
    assert (reply.status, seen[0].route, caplog.records) == (200, None, [])
