"""Litestar."""

from collections.abc import Iterable, Mapping
from typing import Any

from narthex.frameworks.found import Found
from narthex.verdict import Deny


def refusal(deny: Deny) -> Exception:
    """An HTTPException of the refusal's status."""
    from litestar.exceptions import HTTPException

    return HTTPException(status_code=deny.status)


def below(node: object) -> Iterable[object]:
    """What an app or route leads to: routes, handlers, their functions or mounted apps."""
    from litestar import Litestar
    from litestar.handlers import BaseRouteHandler
    from litestar.routes import BaseRoute

    if isinstance(node, Litestar):
        return node.routes
    if isinstance(node, BaseRoute):
        return [getattr(node, "route_handler", None), *getattr(node, "route_handlers", ())]
    if isinstance(node, BaseRouteHandler):
        return [node.fn]
    return [getattr(node, "_fn", None)]  # what a websocket listener keeps its function in; there is no public way


def is_router(node: object) -> bool:
    """Whether this is an app."""
    from litestar import Litestar

    return isinstance(node, Litestar)


def find(router: object, scope: Mapping[str, Any], _left: Mapping[str, Any]) -> Found | None:
    """By asking the app's router, which remembers the last 1,024 paths it was asked for.

    The template that it leaves in the scope is not of use: below a mount it is not the mount's.
    """
    from litestar.exceptions import ClientException, MethodNotAllowedException, NotFoundException
    from litestar.utils import normalize_path

    app: Any = router
    root = scope["root_path"]
    path = normalize_path(scope["path"].split(root, maxsplit=1)[-1] if root else scope["path"])
    route = app.asgi_router.handle_routing
    try:
        _, handler, rest, _, template = route(path=path, method=scope.get("method"))
    except MethodNotAllowedException as error:
        allowed = (error.headers or {})["allow"].partition(",")[0]
        _, handler, rest, _, template = route(path=path, method=None if allowed == "websocket" else allowed)
    except (NotFoundException, ClientException):
        return None
    if not getattr(handler, "is_mount", False):
        return Found(template)
    mounts = (one.path.rstrip("/") for one in app.routes if getattr(one, "route_handler", None) is handler)
    prefix = max((mount for mount in mounts if path.startswith(mount)), key=len)
    return Found(prefix, handler.fn, {**scope, "path": rest})
