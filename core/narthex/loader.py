"""From tables of the file to a frozen chain. The only place that holds a PluginManager.

Pluggy finds, checks and orders the hooks at boot, and is let go again: nothing asks it while requests pass.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import reduce
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, cast

import pluggy

from narthex.asgi import ASGIApp
from narthex.chain import Chain
from narthex.config import Config, PluginTable, Settings, plugin_settings, raise_all
from narthex.errors import BootError, ConfigError, PluginError
from narthex.hooks import BOOT_HOOKS, STAGES, Boot, Inside, Outside, Stages
from narthex.house import BootHook, Estate, House
from narthex.paths import PathSet
from narthex.plan import Step
from narthex.routetable import RouteTable
from narthex.routing import Route

GROUP: Final = "narthex"
_GUARDS: Final = frozenset({"admit", "authenticate", "vet", "authorize"})
_MAY_WAIT: Final = frozenset({*STAGES, "start", "stop", "health"})


@dataclass(frozen=True, slots=True, eq=False)
class Guest:
    """One plugin instance: its table, its object, what it implements."""

    table: PluginTable
    plugin: object
    hooks: tuple[str, ...]

    @property
    def name(self) -> str:
        """The instance name."""
        return self.table.instance


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """What boot made of a configuration.

    Attributes:
        guests: plugin instances in file order.
        inside, outside: wrapper functions, outermost first.
    """

    guests: tuple[Guest, ...]
    chain: Chain
    inside: tuple[Callable[..., Any], ...]
    outside: tuple[Callable[..., Any], ...]


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


def build(config: Config, estate: Estate) -> Built:
    """Import the named plugins, check them, and freeze the chain. Opens no store and no connection.

    Raises:
        ConfigError, PluginError: with the line of the file.
    """
    guests = _make_all(config, estate)
    implementations = _Implementations(guests)
    steps = {stage: implementations.steps(stage) for stage in STAGES}
    estate.boot_hooks = {hook: implementations.boot_hooks(hook) for hook in BOOT_HOOKS}
    estate.services.complete = True
    estate.tasks.built()
    estate.permissions()  # two who offer them are found out now, not by the first request
    settings = config.settings
    chain = Chain(
        steps,
        RouteTable(_routes(implementations), prefix=settings.prefix),
        PathSet(settings.open),
        PathSet(settings.quiet),
        strict_paths=settings.strict_paths,
    )
    inside, outside = _wrappers(implementations)
    return Built(
        tuple(Guest(table, plugin, implementations.hooks_of(table.instance)) for table, plugin in guests),
        chain,
        inside,
        outside,
    )


PLANNED: Final = frozenset(
    (
        *("auth", "revocation", "access", "audit", "metrics", "tracing"),
        *("notifications", "events", "alerts", "console", "canvas", "secretscan"),
    )
)
"""Plugins that later releases bring; whoever read of one should hear that, and not a guess at what they meant."""
_NEAR: Final = 0.75  # below it "auth" is near to "health"


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


def _make_all(config: Config, estate: Estate) -> list[tuple[PluginTable, object]]:
    """Every plugin of the file; what is wrong with any of them is said at once."""
    guests: list[tuple[PluginTable, object]] = []
    errors: list[ConfigError] = []
    for table in config.plugins:
        try:
            guests.append((table, _make(config, table, estate)))
        except ConfigError as error:
            errors.append(error)
    raise_all(errors)
    return guests


def _make(config: Config, table: PluginTable, estate: Estate) -> object:
    made_by = plugin_class(table)
    settings = plugin_settings(config, table, made_by.Settings)
    _check_constructor(made_by, table)
    try:
        return made_by(settings, House(estate, table.instance))
    except BootError:
        raise
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "psycopg" and _on_postgresql(config):
            raise no_psycopg(config) from error
        raise PluginError(
            f"plugin {table.instance} could not be made: {type(error).__name__}: {error}", where=table.where
        ) from error


def _check_constructor(made_by: type[Any], table: PluginTable) -> None:
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


def _on_postgresql(config: Config) -> bool:
    return config.settings.store.reveal().startswith("postgres")


def no_psycopg(config: Config) -> ConfigError:
    """The store's driver is missing, which is no fault of the plugin that asked for the store first."""
    return ConfigError(
        "[narthex] store: PostgreSQL needs psycopg",
        where=config.where(("narthex", "store")),
        hint="pip install 'narthex[postgresql]', or '.[postgresql]' in a clone",
    )


class _Implementations:
    """Who implements which hook, as pluggy found it, in file order."""

    def __init__(self, guests: Sequence[tuple[PluginTable, object]]) -> None:
        self._tables = {table.instance: table for table, _ in guests}
        self._hooks: dict[str, list[pluggy.HookImpl]] = {}
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(Stages)
        self._manager.add_hookspecs(Boot)
        # Pluggy calls the last registered first; the file's order is ours.
        for table, plugin in reversed(guests):
            self._register(table, plugin)
        self._manager.check_pending()
        for hook in (*STAGES, *BOOT_HOOKS):
            found = getattr(self._manager.hook, hook).get_hookimpls()
            self._hooks[hook] = list(reversed(found))
        for table, _ in guests:
            self._check_mode(table)

    def steps(self, stage: str) -> list[Step]:
        """The stage's steps."""
        return [self._step(stage, implementation) for implementation in self._hooks[stage]]

    def boot_hooks(self, hook: str) -> tuple[BootHook, ...]:
        """Instance, bound method, whether to await it."""
        return tuple(
            (one.plugin_name, one.function, inspect.iscoroutinefunction(one.function)) for one in self._hooks[hook]
        )

    def hooks_of(self, instance: str) -> tuple[str, ...]:
        """What one instance implements."""
        return tuple(hook for hook, found in self._hooks.items() if any(one.plugin_name == instance for one in found))

    def values(self, hook: str) -> Iterable[tuple[PluginTable, Any]]:
        """What each plugin gives when a plain boot hook is asked."""
        for one in self._hooks[hook]:
            table = self._tables[one.plugin_name]
            try:
                yield table, one.function()
            except BootError:
                raise
            except Exception as error:
                raise PluginError(
                    f"plugin {table.instance}: {hook} failed: {type(error).__name__}: {error}",
                    where=table.where,
                ) from error

    def _register(self, table: PluginTable, plugin: object) -> None:
        _check_unmarked(table, plugin)
        for name, other in self._manager.list_name_plugin():
            if other == plugin:  # pluggy keeps plugins in a list and would take the one for the other
                raise PluginError(
                    f"plugins {table.instance} and {name} are equal, so that one would be taken for the other",
                    where=table.where,
                    hint=f"{type(plugin).__qualname__} must not define __eq__; a dataclass is given eq=False",
                )
        try:
            self._manager.register(plugin, name=table.instance)
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(f"plugin {table.instance}: {_pluggy_words(error)}", where=table.where) from error
        for caller in self._manager.get_hookcallers(plugin) or ():
            if not caller.has_spec():
                near = get_close_matches(caller.name, (*STAGES, *BOOT_HOOKS), n=1)
                raise PluginError(
                    f"plugin {table.instance} implements {caller.name!r}, which is not a hook",
                    where=table.where,
                    hint=f"did you mean {near[0]!r}?" if near else f"hooks: {', '.join((*STAGES, *BOOT_HOOKS))}",
                )
        for caller in self._manager.get_hookcallers(plugin) or ():
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin:
                    _check(table, caller.name, implementation)

    def _step(self, stage: str, implementation: pluggy.HookImpl) -> Step:
        table = self._tables[implementation.plugin_name]
        call: Callable[..., Any] = implementation.function
        is_async = inspect.iscoroutinefunction(call)
        if not implementation.argnames:  # pluggy lets a hook take fewer arguments than its specification
            call = _ignoring_exchange(call)
        return Step(
            call=call,
            instance=table.instance,
            plugin=str(getattr(implementation.plugin, "name", table.instance)),
            hook=stage,
            is_async=is_async,
            shadow=table.mode == "shadow" and stage in _GUARDS,
            timeout=table.timeout if is_async else None,
            where=table.where,
        )

    def _check_mode(self, table: PluginTable) -> None:
        if table.mode == "shadow" and _GUARDS.isdisjoint(self.hooks_of(table.instance)):
            raise PluginError(
                f"plugin {table.instance} refuses nothing, so it cannot stand in shadow mode",
                where=table.where,
                hint="remove `mode`",
            )


def _check_unmarked(table: PluginTable, plugin: object) -> None:
    """A method named like a hook that lost its decorator would be a guard that never guards."""
    for hook in (*STAGES, *BOOT_HOOKS):
        method: object = inspect.getattr_static(plugin, hook, None)
        function: object = getattr(method, "__func__", method)  # of a static or class method
        marked = hasattr(method, "narthex_impl") or hasattr(function, "narthex_impl")
        if inspect.isfunction(function) and not marked:
            raise PluginError(
                f"plugin {table.instance}: method {hook!r} is named like a hook but is not marked",
                where=table.where,
                hint=f"put @hookimpl above `def {hook}`, or give it another name",
            )


def _check(table: PluginTable, hook: str, implementation: pluggy.HookImpl) -> None:
    def wrong(message: str, hint: str = "") -> PluginError:
        return PluginError(f"plugin {table.instance}: {hook} {message}", where=table.where, hint=hint)

    if implementation.wrapper or implementation.hookwrapper:
        raise wrong("is a hook wrapper, which hides what is called when", "wrap the app instead, with the hook `wrap`")
    if implementation.tryfirst or implementation.trylast:
        raise wrong("asks to be called first or last, which hides the order", "the order of the file is the order")
    function = implementation.function
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise wrong("is a generator")
    if hook not in _MAY_WAIT and inspect.iscoroutinefunction(function):
        raise wrong("is async, but it is asked while the house is built", "make it plain; wait in `start`")


def _ignoring_exchange(call: Callable[[], Any]) -> Callable[[object], Any]:
    return lambda _exchange: call()


def _pluggy_words(error: Exception) -> str:
    """Pluggy's message in our words."""
    text = " ".join(str(error).split())
    found = re.search(r"for hook '(\w+)'.*Argument\(s\) \{(.*?)\} are declared", text)
    if found is None:
        return text
    hook, given = found.groups()
    takes = "`exchange` and nothing else" if hook in STAGES else "nothing"
    return f"{hook} takes {takes}, not {given.replace(chr(39), '')}"


def _routes(implementations: _Implementations) -> list[tuple[str, str, Route]]:
    offers: list[tuple[str, str, Route]] = []
    for table, given in implementations.values("routes"):
        if given is None:
            continue
        for route in cast("Iterable[object]", given if isinstance(given, Iterable) else (given,)):
            if not isinstance(route, Route):
                raise PluginError(
                    f"plugin {table.instance}: routes gave a {type(route).__name__}, not a Route",
                    where=table.where,
                )
            offers.append((table.instance, table.where, route))
    return offers


def _wrappers(
    implementations: _Implementations,
) -> tuple[tuple[Callable[..., Any], ...], tuple[Callable[..., Any], ...]]:
    inside: list[Callable[..., Any]] = []
    outside: list[Callable[..., Any]] = []
    for table, given in implementations.values("wrap"):
        match given:
            case None:
                pass
            case Inside(wrapper):
                inside.append(_named(table, wrapper))
            case Outside(wrapper):
                outside.append(_named(table, wrapper))
            case _:
                raise PluginError(
                    f"plugin {table.instance}: wrap gave a {type(given).__name__}, not Inside or Outside",
                    where=table.where,
                )
    return tuple(inside), tuple(outside)


def _named(table: PluginTable, wrapper: Callable[[ASGIApp], ASGIApp]) -> Callable[[ASGIApp], ASGIApp]:
    """The wrapper, whose fault is said to be its plugin's."""

    def wrap(app: ASGIApp) -> ASGIApp:
        try:
            made = wrapper(app)
        except Exception as error:
            raise PluginError(
                f"plugin {table.instance}: its wrapper failed: {type(error).__name__}: {error}", where=table.where
            ) from error
        if not callable(made):
            raise PluginError(
                f"plugin {table.instance}: its wrapper gave a {type(made).__name__}, not an ASGI app", where=table.where
            )
        return made

    return wrap


def survey(config: Config) -> Built:
    """Build for looking at, as `check` and `explain` do: nothing is started and no app is needed."""
    return build(config, Estate(config.settings, config.directory))
