"""Litestar's own middleware on a Litestar route, against the same route bare."""

import os
from typing import Any, cast

from benchmarks.asgi import ASGIApp
from benchmarks.candidates import candidate
from benchmarks.credentials import AUDIENCE, ISSUER, ROLE, public_pem, revoked
from benchmarks.traffic import BODY

GROUP = "Litestar"
ROUTE = "litestar, bare route"


def route(middleware: list[Any] | None = None, logger: str | None = None, guards: list[Any] | None = None) -> ASGIApp:
    """Serve the same body from a Litestar handler. Litestar's own types of these lists are not exported."""
    from litestar import Litestar, Response, get
    from litestar.logging import LoggingConfig

    @get("/orders/{number:int}")
    async def order(number: int) -> Response[bytes]:
        return Response(BODY, media_type="application/json")

    config = None
    if logger is not None:
        config = LoggingConfig(
            handlers={"bench": {"class": "logging.FileHandler", "filename": os.devnull, "formatter": "standard"}},
            loggers={logger: {"level": "INFO", "handlers": ["bench"], "propagate": False}},
            configure_root_logger=False,
        )
    app: ASGIApp = cast("Any", Litestar)(
        [order], middleware=middleware or [], guards=guards or [], logging_config=config
    )  # its ASGI types are its own
    return app


def log_middleware(name: str, *, lean: bool) -> Any:
    """Litestar's LoggingMiddleware: by default with headers, cookies and bodies, or with few fields."""
    from litestar.middleware.logging import LoggingMiddlewareConfig

    if not lean:
        return LoggingMiddlewareConfig(logger_name=name).middleware
    return LoggingMiddlewareConfig(
        logger_name=name, request_log_fields=["path", "method", "client"], response_log_fields=["status_code"]
    ).middleware


def jwt_middleware() -> Any:
    """Litestar's JWT middleware with RS256, its `revoked_token_handler` over the same set of ids."""
    from litestar.connection import ASGIConnection
    from litestar.middleware import DefineMiddleware
    from litestar.security.jwt import JWTAuthenticationMiddleware, Token

    gone = revoked()

    async def user(token: Token, connection: ASGIConnection[Any, Any, Any, Any]) -> Token:
        return token

    async def is_revoked(token: Token, connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
        return token.jti in gone

    return DefineMiddleware(
        JWTAuthenticationMiddleware,
        algorithm="RS256",
        auth_header="Authorization",
        exclude=None,
        exclude_http_methods=None,
        exclude_opt_key="exclude_from_auth",
        retrieve_user_handler=user,
        revoked_token_handler=is_revoked,
        scopes=None,
        token_secret=public_pem(),
        token_audience=[AUDIENCE],
        token_issuer=[ISSUER],
    )


async def role_guard(connection: Any, handler: Any) -> None:
    """Refuse everyone without the role. Async, since Litestar runs plain guards in a thread."""
    from litestar.exceptions import PermissionDeniedException

    if ROLE not in connection.auth.extras["roles"]:
        raise PermissionDeniedException


def prometheus_middleware() -> Any:
    from litestar.plugins.prometheus import PrometheusConfig

    return PrometheusConfig(group_path=True).middleware


@candidate(ROUTE, group=GROUP, over=ROUTE, lifespan=True)
def bare_route() -> ASGIApp:
    return route()


@candidate("litestar, logging", group=GROUP, over=ROUTE, lifespan=True)
def with_logging() -> ASGIApp:
    return route([log_middleware("bench_litestar", lean=False)], "bench_litestar")


@candidate("litestar, logging, few fields", group=GROUP, over=ROUTE, lifespan=True)
def with_lean_logging() -> ASGIApp:
    return route([log_middleware("bench_litestar_lean", lean=True)], "bench_litestar_lean")


@candidate("litestar, jwt + role guard", group=GROUP, over=ROUTE, lifespan=True)
def with_jwt() -> ASGIApp:
    return route([jwt_middleware()], guards=[role_guard])


@candidate("litestar, prometheus", group=GROUP, over=ROUTE, lifespan=True)
def with_prometheus() -> ASGIApp:
    return route([prometheus_middleware()])


@candidate("litestar, logging + jwt + prometheus", group=GROUP, over=ROUTE, lifespan=True)
def with_all() -> ASGIApp:
    name = "bench_litestar_all"
    middleware = [log_middleware(name, lean=True), prometheus_middleware(), jwt_middleware()]
    return route(middleware, name, [role_guard])
