"""From the name of a plugin to its class: entry points, or "package.module:Class"; only what is named is imported."""

import inspect
from contextlib import suppress
from difflib import get_close_matches
from functools import reduce
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from narthex.config import Config, PluginTable, Settings
from narthex.errors import ConfigError, PluginError

GROUP: Final = "narthex"
PLANNED: Final = frozenset(("console", "canvas"))
"""Plugins that later releases bring; whoever read of one should hear that, and not a guess at what they meant."""
_NEAR: Final = 0.75  # below it "auth" is near to "health"


def installed() -> dict[str, EntryPoint]:
    """The plugins that could be named, by entry point name; none of them is imported."""
    return {point.name: point for point in entry_points(group=GROUP)}


def plugin_class(table: PluginTable) -> type[Any]:
    """Import the class a table names, and nothing else.

    Raises:
        PluginError: no such plugin, it cannot be imported, or it is not a plugin class.
    """
    wanted = table.use or table.instance
    found: object
    try:
        if ":" in wanted:
            module, _, attribute = wanted.partition(":")
            found = reduce(getattr, attribute.split("."), import_module(module))
        else:
            found = _point(table, wanted).load()
    except ConfigError:
        raise
    except Exception as error:
        raise PluginError(
            f"plugin {wanted!r} of [plugins.{table.instance}] cannot be imported: {type(error).__name__}: {error}",
            where=table.where,
            hint=_import_hint(wanted, error),
        ) from error
    settings = getattr(found, "Settings", None)
    if not inspect.isclass(found) or not (inspect.isclass(settings) and issubclass(settings, Settings)):
        raise PluginError(
            f"{wanted!r} of [plugins.{table.instance}] is not a plugin: it needs to be a class with a `Settings` class",
            where=table.where,
        )
    if not isinstance(getattr(found, "name", None), str):
        raise PluginError(f"plugin class {found.__qualname__} has no `name`", where=table.where)
    return found


def import_plugins(config: Config) -> None:
    """Import the classes that a configuration names, in whichever thread this is; what is wrong is said later."""
    for table in config.plugins:
        with suppress(ConfigError):
            plugin_class(table)


def _import_hint(wanted: str, error: Exception) -> str:
    """What to do about a class that cannot be imported; "" where its own code failed."""
    if not isinstance(error, ImportError):
        return ""
    module, colon, _ = wanted.partition(":")
    if not colon:
        point = installed()[wanted]
        ours = point.dist is not None and point.dist.name == "narthex"
        return "is its extra installed?" if ours else "is everything installed that it needs?"
    if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
        return "not found in the current directory, the file's directory, or installed"
    return "is everything installed that it needs?" if isinstance(error, ModuleNotFoundError) else ""


def _point(table: PluginTable, wanted: str) -> EntryPoint:
    points = installed()
    if wanted in points:
        return points[wanted]
    near = get_close_matches(wanted, points, n=1, cutoff=_NEAR)
    hint = f"did you mean {near[0]!r}? " if near else ""
    hint = "planned, not in this release; " if wanted in PLANNED else hint
    known = ", ".join(sorted(points)) or "none"
    raise PluginError(
        f"no plugin is called {wanted!r} ([plugins.{table.instance}])",
        where=table.where,
        hint=f"{hint}installed: {known}",
    )


def check_constructor(made_by: type[Any], table: PluginTable) -> None:
    """Say what a plugin is made with, where it takes something else."""
    try:
        signature = inspect.signature(made_by)
    except ValueError:  # made in C; then the call tells
        return
    try:
        signature.bind(object(), object())
    except TypeError as error:
        raise PluginError(
            f"plugin {table.instance} could not be made: {made_by.__qualname__}{signature}: {error}",
            where=table.where,
            hint="a plugin is made with (settings, house)",
        ) from None
