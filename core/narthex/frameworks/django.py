"""Django."""

# Django has no types of its own.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from collections.abc import Iterable
from typing import Final, cast

from narthex.verdict import Deny

_METHODS: Final = ("get", "post", "put", "patch", "delete", "head", "options", "trace", "dispatch")


def refusal(_deny: Deny) -> Exception:
    """PermissionDenied; Django has no exception that takes a status."""
    from django.core.exceptions import PermissionDenied

    return cast("Exception", PermissionDenied())


def forced_script_name() -> str:
    """What FORCE_SCRIPT_NAME takes off any path, without a slash at its end."""
    from django.conf import settings

    return str(settings.FORCE_SCRIPT_NAME or "").rstrip("/")


def below(node: object) -> Iterable[object]:
    """What an app, an include or a pattern leads to: patterns, views; of a view made from a class, its methods.

    Imports the root URLconf, which Django itself would do at the first request.
    """
    from django.core.handlers.base import BaseHandler
    from django.urls import URLPattern, URLResolver, get_resolver

    if isinstance(node, BaseHandler):
        return [get_resolver()]
    if isinstance(node, URLResolver):
        return cast("Iterable[object]", node.url_patterns)
    if isinstance(node, URLPattern):
        return [node.callback]
    view_class = getattr(node, "view_class", None)
    return () if view_class is None else [getattr(view_class, name, None) for name in _METHODS]
