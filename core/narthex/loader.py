"""From tables of the file to a frozen chain. The only place that holds a PluginManager.

Pluggy finds, checks and orders the hooks at boot, and is let go again: nothing asks it while requests pass.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Final, cast

import pluggy

from narthex.asgi import ASGIApp
from narthex.chain import Chain
from narthex.config import Config, PluginTable
from narthex.entrypoints import GROUP
from narthex.errors import BootError, PluginError
from narthex.guests import Guest, make_guests
from narthex.hooks import ASKED, BOOT_HOOKS, MAY_WAIT, STAGES, Boot, Inside, Outside, Stages
from narthex.house import BootHook, Estate, Tenancy
from narthex.paths import PathSet
from narthex.plan import Step
from narthex.routetable import RouteTable
from narthex.routing import Route

_GUARDS: Final = frozenset({"admit", "authenticate", "vet", "authorize"})
_MAY_BE_ASYNC: Final = frozenset({*STAGES, "start", "stop", "health"})


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """What boot made of a configuration.

    Attributes:
        guests: plugin instances in file order.
        chain: their stages.
        tenancy: what they share.
        inside, outside: wrapper functions, outermost first.
    """

    guests: tuple[Guest, ...]
    chain: Chain
    tenancy: Tenancy
    inside: tuple[Callable[..., Any], ...]
    outside: tuple[Callable[..., Any], ...]


def build(config: Config, estate: Estate, before: Built | None = None) -> Built:
    """Import the named plugins, check them, and freeze the chain. Opens no store and no connection.

    Args:
        config: the configuration.
        estate: what outlives it.
        before: what was built of the configuration that it follows; plugins that are the same are taken over.

    Raises:
        ConfigError, PluginError: with the line of the file.
    """
    settings = config.settings
    tenancy = Tenancy(config)
    guests = make_guests(config, estate, tenancy, before.guests if before is not None else ())
    implementations = _Implementations(guests)
    steps = {stage: implementations.steps(stage) for stage in STAGES}
    tenancy.boot_hooks = {hook: implementations.boot_hooks(hook) for hook in BOOT_HOOKS}
    if tenancy.boot_hooks["tables"] or estate.stored:
        tenancy.boot_hooks["health"] += (("store", lambda: estate.store.health(), True),)  # noqa: PLW0108  made when first asked for
    tenancy.services.complete = True
    tenancy.permissions()  # two who offer them are found out now, not by the first request
    chain = Chain(
        steps,
        RouteTable(_routes(implementations), prefix=settings.prefix),
        PathSet(settings.open),
        PathSet(settings.quiet),
        strict_paths=settings.strict_paths,
    )
    tenancy.chain = chain
    inside, outside = _wrappers(implementations)
    named = tuple(replace(guest, hooks=implementations.hooks_of(guest.name)) for guest in guests)
    return Built(named, chain, tenancy, inside, outside)


class _Implementations:
    """Who implements which hook, as pluggy found it, in file order."""

    def __init__(self, guests: Sequence[Guest]) -> None:
        self._guests = {guest.name: guest for guest in guests}
        self._hooks: dict[str, list[pluggy.HookImpl]] = {}
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(Stages)
        self._manager.add_hookspecs(Boot)
        # Pluggy calls the last registered first; the file's order is ours.
        for guest in reversed(guests):
            self._register(guest.table, guest.plugin)
        self._manager.check_pending()
        for hook in (*STAGES, *BOOT_HOOKS):
            found = getattr(self._manager.hook, hook).get_hookimpls()
            self._hooks[hook] = list(reversed(found))
        for guest in guests:
            self._check_mode(guest.table)

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

    def values(self, hook: str) -> Iterable[tuple[Guest, Any]]:
        """What each plugin gives when a plain boot hook is asked."""
        for one in self._hooks[hook]:
            guest = self._guests[one.plugin_name]
            table = guest.table
            try:
                if hook not in guest.given:  # asked once, also where it lives on under another configuration
                    guest.given[hook] = one.function()
                yield guest, guest.given[hook]
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
        table = self._guests[implementation.plugin_name].table
        call: Callable[..., Any] = implementation.function
        at_once = bool(getattr(call, MAY_WAIT, False))
        is_async = at_once or inspect.iscoroutinefunction(call)
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
            at_once=at_once,
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
    if hook not in _MAY_BE_ASYNC and inspect.iscoroutinefunction(function):
        raise wrong("is async, but it is asked while the house is built", "make it plain; wait in `start`")
    if hasattr(function, MAY_WAIT):
        if hook not in ASKED:
            raise wrong("is marked `may_wait`", f"that is for {', '.join(ASKED)}")
        if inspect.iscoroutinefunction(function):
            raise wrong("is async and marked `may_wait`", "one of the two will do")


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
    for guest, given in implementations.values("routes"):
        if given is None:
            continue
        routes = tuple(cast("Iterable[object]", given) if isinstance(given, Iterable) else (given,))
        guest.given["routes"] = routes  # an iterator can be read once only
        for route in routes:
            if not isinstance(route, Route):
                raise PluginError(
                    f"plugin {guest.name}: routes gave a {type(route).__name__}, not a Route",
                    where=guest.table.where,
                )
            offers.append((guest.name, guest.table.where, route))
    return offers


def _wrappers(
    implementations: _Implementations,
) -> tuple[tuple[Callable[..., Any], ...], tuple[Callable[..., Any], ...]]:
    inside: list[Callable[..., Any]] = []
    outside: list[Callable[..., Any]] = []
    for guest, given in implementations.values("wrap"):
        table = guest.table
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
