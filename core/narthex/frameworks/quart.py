"""Quart."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from narthex.frameworks.found import Found, in_braces
from narthex.verdict import Deny

_METHODS: Final = ("get", "post", "head", "options", "delete", "put", "trace", "patch", "dispatch_request")


def refusal(_deny: Deny) -> Exception:
    """Forbidden; what the client gets is the Deny."""
    from werkzeug.exceptions import Forbidden

    return Forbidden()


def below(node: object) -> Iterable[object]:
    """What an app leads to: its views and those of its blueprints, sockets too; of a view from a class, its methods."""
    from quart import Quart

    if isinstance(node, Quart):
        return node.view_functions.values()
    view_class = getattr(node, "view_class", None)
    return () if view_class is None else [getattr(view_class, name, None) for name in _METHODS]


def is_router(node: object) -> bool:
    """Whether this is an app."""
    from quart import Quart

    return isinstance(node, Quart)


def find(router: object, scope: Mapping[str, Any], _left: Mapping[str, Any]) -> Found | None:
    """By asking the app's URL map: Quart keeps the rule on its own request and tells the scope nothing."""
    from quart.wrappers.base import BaseRequestWebsocket
    from werkzeug.datastructures import Headers
    from werkzeug.exceptions import MethodNotAllowed, NotFound
    from werkzeug.routing import RequestRedirect

    root, path = scope["root_path"], scope["path"]
    if root and (path == root or not path.startswith(root)):
        return None  # as Quart has it
    request = BaseRequestWebsocket(
        scope.get("method", "GET"),
        scope["scheme"],
        path.removeprefix(root),
        scope["query_string"],
        Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]),
        root,
        scope["http_version"],
        scope,  # type: ignore[arg-type]  # typed as hypercorn's
    )
    app: Any = router
    adapter = app.create_url_adapter(request)
    try:
        rule, _ = adapter.match(return_rule=True)
    except MethodNotAllowed as error:
        rule, _ = adapter.match(method=next(iter(error.valid_methods or ())), return_rule=True)
    except (NotFound, RequestRedirect):
        return None
    return Found(in_braces(rule.rule))
