"""Litestar."""

from collections.abc import Iterable

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
