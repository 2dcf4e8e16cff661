"""What an app wraps, and whose it is: told by the module of its class, so that nothing has to be imported."""

from collections.abc import Iterator
from typing import Final

PACKAGES: Final = frozenset({"starlette", "litestar", "django", "quart"})
"""The frameworks that have an adapter; FastAPI builds on Starlette."""

_WRAPPED: Final = ("app", "asgi_app", "application", "_app", "__wrapped__", "__self__")
_DEPTH: Final = 12  # more middleware than that, and the scope still tells


def package_of(one: object) -> str | None:
    """The package of PACKAGES whose class, or whose class's subclass, this is an instance of; or None."""
    packages = (cls.__module__.partition(".")[0] for cls in type(one).__mro__)
    return next((package for package in packages if package in PACKAGES), None)


def through(app: object) -> Iterator[object]:
    """The app and what it wraps, from the outside in, each once."""
    seen: set[int] = set()  # all of it is held by what wraps it, so no id comes twice by chance
    for _ in range(_DEPTH):
        if id(app) in seen:
            return
        seen.add(id(app))
        yield app
        inner = next((found for name in _WRAPPED if callable(found := getattr(app, name, None))), None)
        if inner is None:
            return
        app = inner
