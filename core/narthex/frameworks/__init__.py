"""One adapter per framework: how it says "refused" without logging a fault, what it has registered, how it routes.

The framework is known by the app that Narthex was given, seen through what wraps it, or by the app that a framework
put into the scope. Nothing is imported that the app has not imported already.
"""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

from narthex import originals
from narthex.frameworks import django, litestar, quart, starlette
from narthex.frameworks.found import Found
from narthex.frameworks.wrapping import package_of, through
from narthex.verdict import Deny

_log = logging.getLogger("narthex.frameworks")


class _Adapter(Protocol):
    def refusal(self, _deny: Deny, /) -> Exception:
        """The framework's own exception for this refusal."""
        ...

    def below(self, node: object, /) -> Iterable[object]:
        """What the framework has registered directly below an app, router, route or endpoint; None among it is nothing.

        Raises:
            Exception: of any kind, where the node is not made as expected.
        """
        ...

    def is_router(self, node: object, /) -> bool:
        """Whether the node finds routes: an app or a router, not middleware or a file server of the framework."""
        ...

    def find(self, router: object, scope: Mapping[str, Any], left: Mapping[str, Any], /) -> Found | None:
        """The route or mount for a request, also where only the method is wrong; None for none, or a redirect.

        Args:
            router: what `is_router` said yes to.
            scope: the request as the router got it.
            left: the scope as the app has left it.

        Raises:
            Exception: of any kind, where the router is not made as expected.
        """
        ...


ADAPTERS: Final[dict[str, _Adapter]] = {
    "starlette": starlette,  # and FastAPI, which builds on it
    "litestar": litestar,
    "django": django,
    "quart": quart,
}


def framework_of(app: object) -> str | None:
    """The package of the framework whose app this is, or wraps: "starlette", "litestar", "django", "quart"; or None."""
    found = [package for one in through(app) if (package := package_of(one)) is not None]
    return found[-1] if found else None  # the innermost: a Django app may wear Starlette's middleware


def own_root(app: object) -> str:
    """The prefix that the app puts in the place of the scope's `root_path`, or "".

    FastAPI's `root_path` and Django's FORCE_SCRIPT_NAME: their routers take it off any path, whatever the server said.
    """
    for one in through(app):
        root = getattr(one, "root_path", "")
        if isinstance(root, str) and root and package_of(one) == "starlette":
            return root
        if package_of(one) == "django":
            return django.forced_script_name()
    return ""


def refusal(framework: str | None, scope: Mapping[str, Any], deny: Deny) -> Exception | None:
    """The framework's own exception for this refusal, or None where the framework is not known.

    Args:
        framework: what `framework_of` said of the whole app; what the scope says of the app that runs wins.
        scope: as the app got it.
        deny: its status becomes the exception's where the framework has one for it.
    """
    running = scope.get("litestar_app") or scope.get("app")
    name = (framework_of(running) if running is not None else None) or framework
    return None if name is None else ADAPTERS[name].refusal(deny)


def bare_endpoints(app: object) -> list[str]:
    """Name and place of every guarded function that the app, or one mounted in it, also serves without its guard.

    What a framework has registered in a way that its adapter does not know is skipped and logged at debug. Cost:
    nothing where no function is guarded, else tens of microseconds per route; FastAPI resolves the routes of included
    routers on the way, a millisecond each and kept, as the first request to each router would do.
    """
    if not originals.recorded() and "django" not in sys.modules:  # Django alone imports its views on demand
        return []
    found = (original for node in list(_registered(app)) if (original := originals.bare(node)) is not None)
    return list(dict.fromkeys(map(originals.describe, found)))


def _registered(app: object) -> Iterator[object]:
    """Every object that the app's frameworks route to, each once: apps and routers as well as endpoints."""
    seen: dict[int, object] = {}  # holds what it names, lest an id come twice
    waiting: list[tuple[object, str | None]] = [(app, None)]
    while waiting:
        node, framework = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen[id(node)] = node
        yield node
        try:
            # What a framework routes to may be an app of another one, behind middleware of its own.
            waiting += ((one, None) for one in through(node) if one is not node and package_of(one) is not None)
            framework = package_of(node) or framework
            if framework is not None:
                waiting += ((one, framework) for one in ADAPTERS[framework].below(node))
        except Exception:  # noqa: BLE001  an exotic app is no reason not to serve it
            _log.debug("what %r leads to is not looked at", type(node), exc_info=True)
