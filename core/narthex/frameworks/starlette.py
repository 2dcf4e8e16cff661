"""Starlette, and FastAPI, which builds on it."""

import inspect
import sys
from collections.abc import Iterable
from typing import Any, Final

from narthex.verdict import Deny

_METHODS: Final = (
    *("get", "head", "post", "put", "patch", "delete", "options", "query"),
    *("on_connect", "on_receive", "on_disconnect", "dispatch", "__call__"),
)


def refusal(deny: Deny) -> Exception:
    """An HTTPException of the refusal's status."""
    from starlette.exceptions import HTTPException

    return HTTPException(deny.status)


def below(node: object) -> Iterable[object]:
    """What an app, router or route leads to: routes, endpoints, mounted apps; of a class, its methods."""
    from starlette.applications import Starlette
    from starlette.routing import BaseRoute, Router

    if isinstance(node, Starlette):
        return [node.router]
    if isinstance(node, Router):
        return [*_flat(node.routes), node.default]
    if isinstance(node, BaseRoute):  # a Mount knows its app's routes, behind whatever middleware it was given
        return [getattr(node, "endpoint", None), *_flat(getattr(node, "routes", None) or [])]
    if inspect.isclass(node):
        return [getattr(node, name, None) for name in _METHODS]
    return []


def _flat(routes: Iterable[Any]) -> Iterable[object]:
    """The routes without FastAPI's branches: since 0.137 an included router is a node of its own."""
    walk = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", None)
    return routes if walk is None else (context.original_route for context in walk(routes))
