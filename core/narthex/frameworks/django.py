"""Django."""

# Django has no types of its own.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownMemberType=false

import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, Final, cast

from narthex.frameworks.found import Found, in_braces
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


def is_router(node: object) -> bool:
    """Whether this is a handler, ASGI's or WSGI's."""
    from django.core.handlers.base import BaseHandler

    return isinstance(node, BaseHandler)


def find(_router: object, scope: Mapping[str, Any], _left: Mapping[str, Any]) -> Found | None:
    """By asking the root URLconf: Django keeps its ResolverMatch on the request and tells the scope nothing.

    A middleware that sets `request.urlconf` is not known here.
    """
    from django.conf import settings
    from django.urls import Resolver404, get_resolver

    path = scope["path"].removeprefix(settings.FORCE_SCRIPT_NAME or scope["root_path"])
    try:
        with _in_language_of(path):
            match: Any = cast("Any", get_resolver)().resolve(path)
    except Resolver404:
        return None
    return Found(spelt(match.route))


def _in_language_of(path: str) -> AbstractContextManager[object]:
    """Where URLs begin with a language (`i18n_patterns`), that of this one is active while it is resolved."""
    from django.conf import settings
    from django.conf.urls.i18n import is_language_prefix_patterns_used
    from django.utils.translation import get_language_from_path, override

    if not settings.USE_I18N or not is_language_prefix_patterns_used(settings.ROOT_URLCONF)[0]:
        return nullcontext()
    language = cast("str | None", get_language_from_path(path)) or settings.LANGUAGE_CODE
    return cast("AbstractContextManager[object]", override(language))


_GROUP: Final = re.compile(r"\(\?P<(\w+)>|\(\?:|\((?!\?)|\(\?")
_SKIPPED: Final = re.compile(r"\\[AZbB]|[\^$?]")


@lru_cache(maxsize=1024)
def spelt(route: str) -> str:
    """A ResolverMatch's route with a slash in front and parameters in braces, whether of `path` or of `re_path`.

    `orders/<int:id>/` and `^orders/(?P<id>[0-9]+)/$` are both "/orders/{id}/"; a group without a name is "{}".
    """
    return "/" + in_braces(_without_groups(route))


def _without_groups(pattern: str) -> str:
    """A regular expression as people read it: named groups in angle brackets, no anchors, no question marks."""
    text, at = "", 0
    while at < len(pattern):
        group = _GROUP.match(pattern, at)
        if group is not None:
            end = _closing(pattern, group.end())
            if group[1] is not None:
                text += f"<{group[1]}>"
            elif group[0] == "(":
                text += "{}"
            elif group[0] == "(?:":
                text += _without_groups(pattern[group.end() : end])
            at = end + 1
        elif skipped := _SKIPPED.match(pattern, at):
            at = skipped.end()
        elif pattern[at] == "\\" and at + 1 < len(pattern) and not pattern[at + 1].isalnum():
            text += pattern[at + 1]
            at += 2
        else:
            text += pattern[at]
            at += 1
    return text


def _closing(pattern: str, at: int) -> int:
    """Where the group ends whose inside begins at `at`."""
    depth, in_class = 1, False
    while at < len(pattern):
        one = pattern[at]
        if one == "\\":
            at += 1
        elif in_class:
            in_class = one != "]"
        elif one == "[":
            in_class = True
            at += pattern[at + 1 : at + 2] == "]"  # there a literal
        else:
            depth += {"(": 1, ")": -1}.get(one, 0)
            if depth == 0:
                return at
        at += 1
    return at
