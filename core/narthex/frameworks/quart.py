"""Quart."""

from collections.abc import Iterable
from typing import Final

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
