"""Where one router leads a request, and how its template is spelt: parameters in braces, whatever the framework."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_NAMED: Final = re.compile(r"<(?:[^<>]*:)?([^\W\d]\w*)>")


@dataclass(frozen=True, slots=True)
class Found:
    """The route, or mount, that one router has for a request.

    Attributes:
        template: "/orders/{id}" of a route; of a mount the prefix alone, "/shops/{shop}", or "" where it has none.
        below: the app mounted there; None where the route itself answers.
        scope: what that app sees of the request.
    """

    template: str
    below: object = None
    scope: Mapping[str, Any] = field(default_factory=dict[str, Any])


def in_braces(rule: str) -> str:
    """Write the `<id>` and `<int:id>` of Django's paths and werkzeug's rules as `{id}`."""
    return _NAMED.sub(r"{\1}", rule)
