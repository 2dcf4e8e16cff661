"""From "shop.main:app" to the object it names."""

import re
import sys
from importlib import import_module
from pathlib import Path

from narthex.errors import ConfigError

_SPEC = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<attribute>[^\W\d]\w*(\.[^\W\d]\w*)*)(?P<call>\(\))?")
_FORM = 'write "module:attribute", such as "shop.main:app", or "module:factory()"'


class AppError(ConfigError):
    """The app that was named does not exist, or is not an app."""

    code = "app_invalid"


def import_app(spec: str, where: str = "") -> object:
    """Import what `spec` names; a factory is called without arguments.

    Args:
        spec: "module:attribute" or "module:factory()"; both sides may be dotted.
        where: the line of the file that named it, for the message; "" when the command line did.

    Returns:
        Something callable. Whether it is ASGI or WSGI only the first request can tell.

    Raises:
        AppError: the spec is malformed, the module or attribute is missing, the object cannot be called.
        Exception: whatever the module or the factory itself raises.
    """
    parts = _SPEC.fullmatch(spec)
    if parts is None:
        raise AppError(f"{spec!r} does not name an app", where=where, hint=_FORM)
    target = _import_module(spec, parts["module"], where)
    for name in parts["attribute"].split("."):
        try:
            target = getattr(target, name)
        except AttributeError:
            raise AppError(f"{spec!r}: {target_name(target)} has no {name!r}", where=where) from None
    if not callable(target):
        raise AppError(f"{spec!r} is {_kind(target)}, not an app: it cannot be called", where=where)
    if parts["call"] is None:
        return target
    app = target()
    if not callable(app):
        raise AppError(f"{spec!r} returned {_kind(app)}, not an app: it cannot be called", where=where)
    return app


def extend_path(directory: Path | None) -> None:
    """Let the app be found as a person standing in the current directory expects.

    The current directory comes first, as with any server. The configuration file's directory comes last, so that a
    file in /etc can name its neighbours but shadows no installed package.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    if directory is not None and str(directory) not in sys.path:
        sys.path.append(str(directory))


def _import_module(spec: str, module: str, where: str) -> object:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        # A module that the app itself misses is the app's error, and keeps its traceback.
        missing = error.name or ""
        if module == missing or module.startswith(f"{missing}."):
            raise AppError(
                f"{spec!r}: there is no module {missing!r}",
                where=where,
                hint="looked in the current directory and in what is installed",
            ) from None
        raise


def target_name(target: object) -> str:
    """How to call an object in a message: "module 'shop'", or its type."""
    name = getattr(target, "__name__", None)
    return f"{type(target).__name__} {name!r}" if isinstance(name, str) else _kind(target)


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"
