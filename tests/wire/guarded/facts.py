"""What the code of an app is told about who asks. Every site of this directory has the same endpoints.

    /plain, /waiting   guarded by a role; a plain function and an async one
    /auth              asks for any identity
    /who, /who-plain   what is known there, as JSON; from an async function and from a plain one
    /orders/{id}       an endpoint whose route has a parameter
    /ws                a guarded websocket, where the framework has any

With SITE_ORDER=wrong in the environment a guard stands above the route, where it guards nothing.
"""

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

from narthex import current_identity, require_role

F = TypeVar("F", bound=Callable[..., Any])
WRONG = os.environ.get("SITE_ORDER") == "wrong"
_loop_thread = threading.main_thread()


def engineer(function: F) -> F:
    """Guard whatever a framework takes for an endpoint."""
    return cast("F", require_role("engineer")(function))


def wrongly(register: Callable[[Any], Any], function: Callable[..., Any]) -> None:
    """Register a function with the guard above the route, if that is asked for; it has to stay referenced."""
    if WRONG:
        kept.append(engineer(register(function)))


kept: list[object] = []


def facts(scope: Mapping[str, Any], user: Any, auth: Any, headers: Iterable[tuple[str, str]] | None = None) -> Any:
    """All that an app may look at."""
    identity = current_identity()
    pairs = headers or [(name.decode(), value.decode()) for name, value in scope["headers"]]
    return {
        "subject": None if identity is None else identity.subject,
        "scope": getattr(scope.get("narthex.identity"), "subject", None),
        "user": [user.is_authenticated, user.display_name],
        "auth": auth.scopes,
        "headers": [[name.lower(), value] for name, value in pairs if "narthex" in name.lower()],
        "client": scope["client"][0],
        "scheme": scope["scheme"],
        "elsewhere": threading.current_thread() is not _loop_thread,
    }
