"""Endpoints that plugins bring: which path, which methods, who may."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

PUBLIC: Final = "public"
AUTHENTICATED: Final = "authenticated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint of a plugin.

    Attributes:
        path: Starlette's form, `/audit/{id}`, `/files/{path:path}`; below `prefix` unless `at_root`.
        endpoint: `async def endpoint(request: Request) -> Response`; for kind "websocket", `(websocket) -> None`.
        access: PUBLIC, AUTHENTICATED, or a permission such as "audit:read" or "canvas:{collection}:read", whose
            `{names}` are the path's parameters. Core enforces it in place of `authorize`.
        methods: upper case; GET brings HEAD.
        kind: "http" or "websocket".
        at_root: the path stands as written, outside `prefix`.
        early: served before start-up has ended, and never with a guard in front: only for liveness and readiness.
        summary: one line for `explain` and the API description.
    """

    path: str
    endpoint: Callable[[Any], Awaitable[Any]]
    access: str
    methods: tuple[str, ...] = ("GET",)
    kind: Literal["http", "websocket"] = "http"
    at_root: bool = False
    early: bool = False
    summary: str = ""
