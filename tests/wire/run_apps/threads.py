"""One app per framework with a plain function for an endpoint, which the framework runs in a thread."""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from narthex import log_context

log = logging.getLogger("shop")


def talk() -> str:
    """Log within a block, and once behind it; say where it runs."""
    with log_context(order=7):
        log.info("packing")
    thread = threading.current_thread()
    log.info("packed", extra={"main_thread": thread is threading.main_thread()})
    return "ok"


def starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    def endpoint(request: Request) -> PlainTextResponse:
        return PlainTextResponse(talk())

    return Starlette(routes=[Route("/x", endpoint)])


def fastapi() -> Any:
    from fastapi import Depends, FastAPI

    app = FastAPI()

    def block() -> Iterable[None]:
        with log_context(shop="north"):
            yield

    @app.get("/x", dependencies=[Depends(block)])
    def endpoint() -> str:
        return talk()

    return app


def litestar() -> Any:
    from litestar import Litestar, get

    @get("/x", sync_to_thread=True)
    def endpoint() -> str:
        return talk()

    return Litestar([endpoint], logging_config=None)


def quart() -> Any:
    from quart import Quart

    app = Quart(__name__)

    @app.get("/x")
    def endpoint() -> str:
        return talk()

    return app


def django() -> Any:
    import django as framework
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import HttpRequest, HttpResponse
    from django.urls import path

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(talk())

    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="x",
        ROOT_URLCONF=type("urls", (), {"urlpatterns": [path("x", view)]}),
        LOGGING_CONFIG=None,
    )
    framework.setup(set_prefix=False)
    return get_asgi_application()


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("content-type", "text/plain")])
    return [talk().encode()]


def own() -> Any:
    """Starts threads itself, with the context and without."""
    import asyncio

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def endpoint(request: Request) -> PlainTextResponse:
        with log_context(order=7):
            await asyncio.to_thread(log.info, "packing")
            await asyncio.create_task(asyncio.to_thread(log.info, "packing again"))
            await asyncio.get_running_loop().run_in_executor(None, log.info, "alone")
        return PlainTextResponse("ok")

    return Starlette(routes=[Route("/x", endpoint)])
