"""Starlette, and FastAPI, which builds on it."""

import inspect
import sys
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from narthex.frameworks.found import Found
from narthex.frameworks.wrapping import through
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


def is_router(node: object) -> bool:
    """Whether this is an app or a router, not middleware or a file server."""
    from starlette.applications import Starlette
    from starlette.routing import Router

    return isinstance(node, Starlette | Router)


def find(router: object, scope: Mapping[str, Any], left: Mapping[str, Any]) -> Found | None:
    """By the endpoint that ran, where it stands on one route only; else by asking the routes in their order."""
    node: Any = router
    routes = node.routes
    if "endpoint" not in left and left.get("router") is getattr(node, "router", node):
        return None  # it has had the scope, and no route took it
    template = _by_endpoint(node, routes).get(id(left.get("endpoint")))
    return _asked(routes, scope) if template is None else Found(template)


def _asked(routes: Iterable[Any], scope: Mapping[str, Any]) -> Found | None:
    from starlette.routing import Match

    partial: Found | None = None
    for context in _contexts(routes):
        match, child = context.matches(scope)
        if match is Match.NONE:
            continue
        template, below = _place(context)
        found = None if template is None else Found(template, below, {**scope, **child})
        if match is Match.FULL:
            return found
        partial = partial or found
    return partial


def _place(context: Any) -> tuple[str | None, object]:
    """Template and, of a mount or a host, the app there."""
    from starlette.routing import Host, Mount

    route = getattr(context, "original_route", context)
    if isinstance(route, Host):
        return "", context.app
    if isinstance(route, Mount):
        return context.path_format.removesuffix("/{path}"), context.app
    return getattr(context, "path_format", None), None


_indexes: Final[dict[int, tuple["weakref.ref[object]", int, dict[int, str]]]] = {}
"""By the id of a router: that it lives, how many routes it had, and the templates by the id of their endpoint."""


def _by_endpoint(router: object, routes: list[Any]) -> dict[int, str]:
    """The templates of the endpoints that stand on one route only, worked out once.

    The routes hold their endpoints, so an id stays that endpoint's for as long as the routes stay.
    """
    known = _indexes.get(id(router))
    if known is None or known[1] != len(routes):
        key = id(router)
        reference = weakref.ref(router, lambda _: _indexes.pop(key, None))
        known = _indexes[key] = (reference, len(routes), _unique(_leaves(routes, "", ())))
    return known[2]


def _unique(leaves: Iterable[tuple[int, str]]) -> dict[int, str]:
    templates: dict[int, str] = {}
    ambiguous: set[int] = set()
    for endpoint, template in leaves:
        if templates.setdefault(endpoint, template) != template:
            ambiguous.add(endpoint)
    return {endpoint: template for endpoint, template in templates.items() if endpoint not in ambiguous}


def _leaves(routes: Iterable[Any], prefix: str, above: tuple[int, ...]) -> Iterator[tuple[int, str]]:
    """Endpoints and their templates, those of mounted Starlette apps too; what else is mounted has to be asked."""
    for context in _contexts(routes):
        template, below = _place(context)
        if template is None:
            continue
        if below is None:
            yield id(context.endpoint), prefix + template
            continue
        inner: Any = next((one for one in reversed(list(through(below))) if is_router(one)), None)
        if inner is not None and id(inner) not in above:
            yield from _leaves(inner.routes, prefix + template, (*above, id(inner)))


def _contexts(routes: Iterable[Any]) -> Iterable[Any]:
    """The routes as they answer, FastAPI's with the prefix of the router they were included by.

    Since FastAPI 0.137 an included router is a node of its own; before, and in Starlette, routes stand side by side.
    """
    walk = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", None)
    return routes if walk is None else walk(routes)


def _flat(routes: Iterable[Any]) -> Iterable[object]:
    return (getattr(context, "original_route", context) for context in _contexts(routes))
