"""A guarded function that the app also serves without its guard stops the boot, in each framework."""

import asyncio
import gc
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial, wraps
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from litestar import Controller, Litestar, asgi, websocket_listener
from litestar import get as litestar_get
from quart import Blueprint, Quart
from quart.views import MethodView
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute

from narthex import BootError, Narthex, guards, originals, require_auth, require_role
from narthex.asgi import Message, Receive, Scope, Send
from narthex.frameworks import bare_endpoints
from narthex.testing import request

admin: Any = require_role("admin")  # put on whatever frameworks take for an endpoint


async def lifespan(app: Any, *plugins: Any) -> list[Message]:
    """What the house tells a server that starts and, where it may, stops it."""
    said: list[Message] = []
    incoming = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Message:
        return next(incoming)

    async def send(message: Message) -> None:
        said.append(message)

    await Narthex(app, *plugins)({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    return said


def names(app: object) -> list[str]:
    return [name.partition(" (")[0].rpartition(".")[2] for name in bare_endpoints(app)]


class Wrapping:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class Hiding(Wrapping):
    """Middleware that keeps its app where nobody looks for it."""

    def __init__(self, app: Any) -> None:
        self.hidden = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.hidden(scope, receive, send)


def run(program: str) -> str:
    """What goes wrong in a Python of its own, or ""."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    return done.stderr if done.returncode else ""


def make_secret(*, waits: bool = True) -> Callable[..., Any]:
    """A fresh endpoint, served by nobody yet."""

    async def secret() -> dict[str, int]:
        return {"secret": 42}

    def plain_secret() -> dict[str, int]:
        return {"secret": 42}

    return secret if waits else plain_secret


async def page(request: Request) -> Response:
    return PlainTextResponse("public")


# -- the boot


def upside_down() -> FastAPI:
    app = FastAPI()

    @require_role("admin")
    @app.get("/secret")
    async def secret() -> dict[str, int]:
        return {"secret": 42}

    return app


@pytest.mark.parametrize("config", [(), ({"plugins": {"one": {"use": "tests.guests:Person"}}},)])
def test_a_guard_above_the_route_decorator_fails_the_start_and_says_the_order(config: Any) -> None:
    (failed,) = asyncio.run(lifespan(upside_down(), *config))
    assert failed["type"] == "lifespan.startup.failed"
    for part in ("upside_down.<locals>.secret", "test_guard_order.py:", "below the route decorator", "@app.get"):
        assert part in failed["message"]


def test_the_line_that_is_named_is_that_of_the_function() -> None:
    (name,) = bare_endpoints(upside_down())
    line = upside_down.__code__.co_firstlineno + 3  # its first decorator
    assert name == f"{__name__}.upside_down.<locals>.secret ({__file__}:{line})"


@pytest.mark.parametrize("config", [None, {"plugins": {"one": {"use": "tests.guests:Person"}}}])
def test_without_a_lifespan_nothing_is_served(config: Any, caplog: pytest.LogCaptureFixture) -> None:
    house = Narthex(upside_down(), config)
    replies = [asyncio.run(request(house, "GET", "/secret")) for _ in range(2)]
    assert [(reply.status, b"secret" in reply.body) for reply in replies] == [(503, False)] * 2
    assert "served without the guard" in caplog.text


def test_a_route_that_came_after_the_house_was_made_is_seen() -> None:
    app, secret = FastAPI(), make_secret()
    house = Narthex(app)
    admin(app.get("/secret")(secret))
    assert asyncio.run(request(house, "GET", "/secret")).status == 503


def test_a_pass_through_starts_once_and_is_one_from_then_on() -> None:
    app = FastAPI()
    app.get("/")(make_secret())
    house = Narthex(app)
    replies = [asyncio.run(request(house, "GET", "/")) for _ in range(2)]
    assert ([reply.status for reply in replies], house._live, house._walk.bare) == ([200, 200], True, True)


def test_the_right_order_starts() -> None:
    app = FastAPI()
    app.get("/a")(admin(make_secret()))
    app.get("/b")(require_auth(admin(make_secret(waits=False))))
    assert [message["type"] for message in asyncio.run(lifespan(app))] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_without_any_guard_a_start_walks_no_routes() -> None:
    program = (
        "import sys; from starlette.applications import Starlette; from narthex.frameworks import bare_endpoints\n"
        "class Watched(Starlette): routes = router = property(lambda self: 1 / 0, lambda self, value: None)\n"
        "assert bare_endpoints(Watched()) == []\n"
        "assert not {'fastapi', 'litestar', 'django', 'quart', 'werkzeug'} & set(sys.modules)\n"
    )
    assert run(program) == ""


# -- Starlette and FastAPI


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("wrap", [lambda app: app, Wrapping, lambda app: CORSMiddleware(Wrapping(app))])
def test_fastapi_sees_a_bare_endpoint_also_through_middleware(wrap: Any, waits: bool) -> None:
    app, secret = FastAPI(), make_secret(waits=waits)
    app.get("/secret")(secret)
    assert names(wrap(app)) == []
    guarded = admin(secret)
    app.get("/guarded")(guarded)  # guarded once and bare once
    assert names(wrap(app)) == [secret.__name__]


def test_fastapi_sees_into_included_routers_and_mounted_apps() -> None:
    app, sub, outer, inner = FastAPI(), FastAPI(), APIRouter(), APIRouter()
    routers: list[Any] = [app, sub, outer, inner]
    for number, router in enumerate(routers):
        secret = make_secret()
        secret.__qualname__ = f"secret{number}"
        admin(router.get("/secret")(secret))
    outer.include_router(inner, prefix="/inner")
    outer.mount("/sub", Wrapping(sub))
    app.include_router(outer, prefix="/outer")
    assert sorted(names(app)) == ["secret0", "secret1", "secret2", "secret3"]


def test_fastapi_sees_websocket_routes() -> None:
    app = FastAPI()
    admin(app.websocket("/secret")(make_secret()))
    assert names(app) == ["secret"]


class Page(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return PlainTextResponse("")


class Socket(WebSocketEndpoint):
    async def on_connect(self, websocket: Any) -> None:
        raise AssertionError


class Whole(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return PlainTextResponse("")


class Guarded(HTTPEndpoint):
    async def _get(self, request: Request) -> Response:
        return PlainTextResponse("")

    get = admin(_get)  # what a guard wraps may stand beside it, where nothing is routed to it


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_starlette_sees_classes_sockets_mounts_and_hosts(place: int) -> None:
    async def secret(request: Request) -> Response:
        return PlainTextResponse("")

    async def socket(websocket: Any) -> None: ...

    kept = [admin(one) for one in (secret, socket, Page.get, Socket.on_connect, Whole)]
    routes: list[list[Any]] = [
        [Route("/a", page), Route("/secret", secret), Route("/fine", kept[0]), Route("/class", Guarded)],
        [WebSocketRoute("/socket", socket), WebSocketRoute("/class", Socket)],
        [Mount("/m", routes=[Route("/page", Page)], middleware=[Middleware(Hiding)])],
        [Host("a.example", Router([Mount("/n", Wrapping(Starlette(routes=[Route("/w", Whole)])))]))],
    ]
    expected = [["secret"], ["socket", "on_connect"], ["get"], ["Whole"]]
    assert sorted(names(Wrapping(Starlette(routes=routes[place])))) == sorted(expected[place])


def test_a_mount_of_the_app_in_itself_comes_to_an_end() -> None:
    app = Starlette(routes=[Route("/a", page)])
    app.mount("/again", app)
    kept = admin(page)
    assert (names(app), callable(kept)) == (["page"], True)


def test_an_app_of_another_framework_is_seen_where_it_is_mounted() -> None:
    quart, secret = Quart(__name__), make_secret()
    admin(quart.get("/secret")(secret))
    assert names(Starlette(routes=[Mount("/q", Wrapping(quart))])) == ["secret"]


# -- Litestar


@pytest.mark.parametrize("waits", [True, False])
def test_litestar_sees_a_handler_that_a_guard_was_put_on(waits: bool) -> None:
    threads: dict[str, Any] = {} if waits else {"sync_to_thread": True}
    handler = litestar_get("/secret", **threads)(make_secret(waits=waits))
    fine = litestar_get("/fine", **threads)(admin(make_secret(waits=waits)))
    app = Litestar([handler, fine], openapi_config=None, logging_config=None)
    assert names(app) == []
    kept = admin(handler)
    assert (names(Wrapping(app)), callable(kept)) == (["secret" if waits else "plain_secret"], True)


def test_litestar_sees_controllers_listeners_and_mounts() -> None:
    async def method(self: Any) -> str:
        return ""

    def listen(data: str) -> None: ...

    sub, secret = FastAPI(), make_secret()
    admin(sub.get("/")(secret))
    made: Any = sub  # Litestar has types for functions only
    kept = [admin(method), admin(listen)]
    desk = type("Desk", (Controller,), {"method": litestar_get("/method")(method)})
    mounted = asgi("/sub", is_mount=True, copy_scope=True)(made)
    app = Litestar([desk, websocket_listener("/listen")(listen), mounted], openapi_config=None, logging_config=None)
    assert (sorted(names(app)), len(kept)) == (["listen", "method", "secret"], 2)


# -- Quart


@pytest.mark.parametrize("waits", [True, False])
def test_quart_sees_views_sockets_and_blueprints(waits: bool) -> None:
    app: Any = Quart(__name__)
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    found = [make_secret(waits=waits) for _ in range(3)]
    for number, secret in enumerate(found):
        secret.__qualname__ = f"secret{number}"
    admin(app.get("/secret")(found[0]))
    admin(outer.websocket("/secret")(found[1]))
    admin(inner.get("/secret")(found[2]))
    app.get("/fine", endpoint="fine")(admin(make_secret()))
    outer.register_blueprint(inner)
    app.register_blueprint(outer, url_prefix="/outer")
    app.asgi_app = Wrapping(app.asgi_app)  # as Quart's manual says
    assert sorted(names(app)) == ["secret0", "secret1", "secret2"]


def test_quart_sees_methods_of_a_view_class() -> None:
    class Desk(MethodView):
        async def get(self) -> str:
            return ""

    app = Quart(__name__)
    app.add_url_rule("/desk", view_func=Desk.as_view("desk"))
    assert names(app) == []
    kept = admin(Desk.get)
    assert (names(app), callable(kept)) == (["get"], True)


# -- Django


def test_django_sees_its_url_patterns_includes_and_view_classes() -> None:
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.test import override_settings
    from django.urls import include, path
    from django.views import View

    from tests.core import django_guarded

    class Desk(View):  # type: ignore[misc]  # Django has no types
        def get(self, request: Any) -> None: ...

    async def secret(request: Any) -> None: ...

    assert settings.configured, django_guarded
    kept = [admin(secret), admin(Desk.get)]
    app = Wrapping(get_asgi_application())
    below = [path("secret", secret), path("desk", Desk.as_view()), path("fine", kept[0])]
    with override_settings(ROOT_URLCONF=(path("fine", kept[0]), path("fine2", kept[0]))):
        assert names(app) == []
    with override_settings(ROOT_URLCONF=(path("a/", include(below)), path("b", kept[0]))):
        assert sorted(names(app)) == ["get", "secret"]
        assert asyncio.run(request(Narthex(app), "GET", "/b")).status == 503


def test_django_urls_that_only_the_start_imports_are_seen() -> None:
    program = (
        "import asyncio, sys, types; from django.conf import settings; from django.urls import path\n"
        "from narthex import Narthex, require_auth; from narthex.testing import request\n"
        "from django.core.asgi import get_asgi_application\n"
        "class Urls:\n"
        "    def __hash__(self): return 1\n"
        "    @property\n"
        "    def urlpatterns(self):\n"
        "        async def view(request): return 1 / 0\n"
        "        self.kept = require_auth(view)\n"
        "        return [path('', view)]\n"
        "settings.configure(ALLOWED_HOSTS=['*'], SECRET_KEY='x', ROOT_URLCONF=Urls())\n"
        "assert asyncio.run(request(Narthex(get_asgi_application()), 'GET', '/')).status == 503\n"
    )
    assert run(program) == ""


# -- what counts as bare


def deaf(function: Any) -> Any:
    @wraps(function)
    async def wrapper(*args: Any) -> Any:
        return await function(*args)

    return wrapper


class Desk:
    async def method(self) -> None: ...


def test_partials_methods_and_decorators_are_seen_through_down_to_a_guard() -> None:
    secret, desk, other = make_secret(), Desk(), Desk()
    guarded = admin(secret)
    bound = admin(desk.method)
    for endpoint in (secret, partial(secret), partial(partial(secret), 1), deaf(secret), desk.method):
        assert originals.bare(endpoint) is not None
    stacked = require_auth(deaf(admin(make_secret())))
    for endpoint in (guarded, partial(guarded), deaf(guarded), stacked, bound, other.method):
        assert originals.bare(endpoint) is None


def test_a_guard_above_other_decorators_covers_what_they_wrap() -> None:
    secret = make_secret()
    kept = admin(deaf(deaf(secret)))
    assert (originals.bare(secret), callable(kept)) == (secret, True)


def test_two_guards_with_the_route_decorator_between_them_are_the_wrong_order() -> None:
    app = FastAPI()
    admin(app.get("/secret", response_model=None)(require_auth(make_secret())))
    assert names(app) == ["secret"]


def test_a_guard_keeps_nothing_alive_and_an_id_used_again_is_another_function() -> None:
    before = len(originals._originals._references)
    for _ in range(100):
        admin(make_secret())
        admin(Desk().method)
        assert originals.bare(make_secret()) is None
    gc.collect()
    assert len(originals._originals._references) <= before + 1  # Desk.method's function is in no entry of its own


def test_what_cannot_be_weakly_referenced_is_known_all_the_same() -> None:
    class Slotted:
        __slots__ = ()

        def __call__(self) -> None: ...

    endpoint = Slotted()
    kept = admin(endpoint)
    assert (originals.bare(endpoint), originals.bare(Slotted())) == (endpoint, None)
    assert "Slotted (" in originals.describe(endpoint)
    assert callable(kept)


def test_what_an_adapter_does_not_understand_is_skipped_and_told_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    class Exotic(Route):
        @property
        def endpoint(self) -> Any:
            raise LookupError("exotic")

        @endpoint.setter
        def endpoint(self, value: Any) -> None: ...

    caplog.set_level(logging.DEBUG, "narthex.frameworks")
    secret = make_secret()
    app = Starlette(routes=[Route("/a", secret), Exotic("/b", page), Route("/c", make_secret())])
    kept = admin(secret)
    assert (names(app), callable(kept)) == (["secret"], True)
    assert [record.levelname for record in caplog.records] == ["DEBUG"]


def test_an_app_of_no_framework_has_no_routes_to_look_at() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None: ...

    kept = admin(make_secret())
    guards.check_order(Wrapping(app))
    with pytest.raises(BootError, match="below the route decorator"):
        guards.check_order(Wrapping(upside_down()))
    assert callable(kept)


def test_an_endpoint_that_the_apps_own_startup_adds_is_seen() -> None:
    @asynccontextmanager
    async def begin(app: FastAPI) -> AsyncIterator[None]:
        secret = make_secret()
        app.get("/late")(secret)
        app.state.kept = admin(secret)
        yield

    said = asyncio.run(lifespan(FastAPI(lifespan=begin)))
    assert [message["type"] for message in said] == ["lifespan.startup.failed"]
    assert "secret" in said[0]["message"]
