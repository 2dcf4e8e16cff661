"""Decorators inside the app: what the client gets, and that no framework logs a fault."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from litestar import Litestar
from litestar import get as litestar_get
from quart import Quart
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route as StarletteRoute

from narthex import Deny, Exchange, Identity, Narthex, Refused, require_auth, require_permission, require_role
from narthex.asgi import ASGIApp, Receive, Scope, Send
from narthex.frameworks import framework_of
from narthex.testing import Reply, config, request
from tests.apps import calls, http
from tests.guests import eye, offer

PERSON: dict[str, object] = {"use": "tests.guests:Person"}
ALICE = [("x-test-user", "alice user")]


def get(app: ASGIApp, who: str = "", target: str = "/secret") -> Reply:
    headers = [("x-test-user", who)] if who else []
    return asyncio.run(request(Narthex(app, config(person=PERSON)), "GET", target, headers))


@require_role("engineer")
def plain() -> str:
    return "app"


@require_role("engineer")
async def waiting() -> str:
    return "app"


# -- who may


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [
        ("", 401, b'"authentication_required"'),
        ("alice user", 403, b'"role_required"'),
        ("erin engineer", 200, b"app"),
        ("ada admin", 200, b"app"),
    ],
)
@pytest.mark.parametrize("function", [plain, waiting])
def test_a_role_is_held_by_whoever_has_it_or_one_above(function: Any, who: str, status: int, code: bytes) -> None:
    reply = get(calls(function), who)
    assert (reply.status, code in reply.body, reply.error) == (status, True, None)


def test_require_auth_takes_any_identity_and_asks_others_for_one() -> None:
    app = calls(require_auth(lambda: None))
    anonymous = get(app)
    assert (anonymous.status, anonymous.headers["www-authenticate"]) == (401, "Bearer")
    assert get(app, "alice").status == 200


def test_every_permission_is_needed_and_the_missing_one_is_not_told() -> None:
    alice = Identity(subject="alice", permissions=frozenset({"orders:read"}))
    tables = config(auth=offer(authenticate=lambda exchange: alice))

    def ask(*permissions: str) -> Reply:
        app = calls(require_permission(*permissions)(lambda: None))
        return asyncio.run(request(Narthex(app, tables), "GET", "/"))

    assert ask("orders:read").status == 200
    refused = ask("orders:read", "orders:write")
    assert (refused.status, b'"permission_denied"' in refused.body, b"orders" in refused.body) == (403, True, False)


def test_of_two_guards_that_refuse_the_first_is_told_and_stands() -> None:
    seen: list[Exchange] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(Refused):
            plain()
        with suppress(Refused):
            require_permission("orders:write")(lambda: None)()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    reply = asyncio.run(request(Narthex(http(app), config(person=PERSON, eye=eye(seen))), "GET", "/", ALICE))
    assert b'"role_required"' in reply.body
    assert isinstance(seen[0].verdict, Deny)
    assert seen[0].verdict.code == "role_required"


def test_without_a_house_a_guard_refuses() -> None:
    with pytest.raises(Refused) as caught:
        plain()
    assert caught.value.deny.code == "authentication_required"


@pytest.mark.parametrize("words", [(), ("",), (plain,)])
@pytest.mark.parametrize("guard", [require_role, require_permission])
def test_a_guard_without_its_words_is_a_mistake_found_at_once(guard: Any, words: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="parentheses"):
        guard(*words)


def test_a_guarded_function_keeps_its_name_and_kind() -> None:
    import inspect

    assert (plain.__name__, inspect.iscoroutinefunction(waiting), inspect.iscoroutinefunction(plain)) == (
        "plain",
        True,
        False,
    )


def test_a_guarded_generator_is_closed_with_its_wrapper() -> None:
    closed: list[bool] = []

    @require_auth
    async def items() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    async def work() -> None:
        generator = items()
        assert await anext(generator) == 1
        await generator.aclose()  # type: ignore[attr-defined]  # an async generator behind its narrower type
        assert closed == [True]

    assert get(calls(work), "alice").error is None


def test_a_guard_holds_in_a_thread_of_the_app() -> None:
    assert get(calls(lambda: asyncio.to_thread(plain)), "alice user").status == 403
    assert get(calls(lambda: asyncio.to_thread(plain)), "erin engineer").status == 200


# -- frameworks


def starlette_app() -> ASGIApp:
    async def endpoint(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await waiting())

    return Starlette(routes=[StarletteRoute("/secret", endpoint)])


def starlette_behind_middleware() -> ASGIApp:
    async def dispatch(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    async def endpoint(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await waiting())

    middleware = [Middleware(BaseHTTPMiddleware, dispatch=dispatch)]
    return Starlette(routes=[StarletteRoute("/secret", endpoint)], middleware=middleware)


def fastapi_app() -> ASGIApp:
    app = FastAPI()
    app.get("/secret", response_model=None)(waiting)
    return app


def fastapi_in_a_thread() -> ASGIApp:
    app = FastAPI()
    app.get("/secret", response_model=None)(plain)
    return app


def fastapi_dependency() -> ASGIApp:
    app = FastAPI()

    @app.get("/secret")
    async def endpoint(word: Annotated[str, Depends(plain)]) -> str:
        return word

    return app


def litestar_app() -> Any:
    @litestar_get("/secret")
    @require_role("engineer")
    async def endpoint() -> str:
        return "app"

    return Litestar([endpoint], openapi_config=None)


def quart_app() -> Any:
    app = Quart(__name__)
    app.get("/secret")(waiting)
    return app


def django_app() -> Any:
    from tests.core.django_guarded import app

    return app


FRAMEWORKS = [
    starlette_app,
    starlette_behind_middleware,
    fastapi_app,
    fastapi_in_a_thread,
    fastapi_dependency,
    litestar_app,
    quart_app,
    django_app,
]


@pytest.mark.parametrize("make", FRAMEWORKS)
def test_a_frameworks_own_refusal_becomes_ours_and_none_logs_a_fault(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    for who, status, code in (("", 401, b"authentication_required"), ("alice user", 403, b"role_required")):
        reply = get(make(), who)
        assert (reply.status, code in reply.body, reply.error) == (status, True, None)
        assert (len(reply.starts), reply.complete) == (1, True)
    assert get(make(), "erin engineer").body.strip(b'"') == b"app"
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_framework_with_a_handler_for_everything_still_refuses() -> None:
    async def everything(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("all is well")

    app = FastAPI(exception_handlers={Exception: everything, HTTPException: everything})
    app.get("/secret", response_model=None)(waiting)
    reply = get(app, "alice user")
    assert (reply.status, b"well" in reply.body) == (403, False)


def test_a_guarded_stream_is_cut_where_the_start_went_out_before_it_was_asked() -> None:
    @require_role("engineer")
    async def items() -> AsyncIterator[str]:
        yield "secret"

    async def endpoint(request: Request) -> StreamingResponse:
        return StreamingResponse(items())

    reply = get(Starlette(routes=[StarletteRoute("/secret", endpoint)]), "alice user")
    assert (b"secret" in reply.body, reply.complete, len(reply.starts)) == (False, False, 1)


class Wrapping:
    """Middleware as people write it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.mark.parametrize(
    ("make", "name"),
    [(starlette_app, "starlette"), (fastapi_app, "starlette"), (litestar_app, "litestar"), (quart_app, "quart")],
)
def test_a_framework_is_known_also_through_middleware(make: Any, name: str) -> None:
    assert framework_of(Wrapping(Wrapping(make()))) == name


def test_an_app_without_a_framework_is_no_framework() -> None:
    assert framework_of(calls(plain)) is None
    loop = Wrapping(calls(plain))
    loop.app = loop
    assert framework_of(loop) is None
