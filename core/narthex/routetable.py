"""Which plugin answers which path: compiled once, conflicts found at boot."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from starlette.convertors import Convertor
from starlette.routing import compile_path

from narthex.errors import PluginError
from narthex.plan import Taken
from narthex.routing import AUTHENTICATED, PUBLIC, Route

_PERMISSION = re.compile(r"[\w.*{}-]+(:[\w.*{}-]+)+", re.ASCII)
_PARAMETER = re.compile(r"{(\w+)}", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class _Compiled:
    taken: Taken
    regex: "re.Pattern[str]"
    convertors: Mapping[str, Convertor[Any]]


class RouteTable:
    """The endpoints of all plugins. Empty is falsy."""

    def __init__(self, offers: Iterable[tuple[str, str, Route]] = (), *, prefix: str = "/_narthex") -> None:
        """Compile the routes.

        Args:
            offers: instance name, line of its table, route; in file order.
            prefix: what stands before every path that is not `at_root`.

        Raises:
            PluginError: a path, access or method that cannot be, or two instances claiming one path.
        """
        self._compiled: list[_Compiled] = []
        for instance, where, route in offers:
            self._add(instance, where, route, route.path if route.at_root else prefix + route.path)

    def __len__(self) -> int:
        return len(self._compiled)

    def __iter__(self) -> Iterator[Taken]:
        """Every endpoint, in file order."""
        return iter([one.taken for one in self._compiled])

    def match(self, kind: Literal["http", "websocket"], path: str) -> Mapping[str, Taken]:
        """Method ("WEBSOCKET" for sockets) to the endpoint that takes it, parameters filled in; empty if none does."""
        found: dict[str, Taken] = {}
        for one in self._compiled:
            route = one.taken.route
            match = one.regex.fullmatch(path) if route.kind == kind else None
            if match is None:
                continue
            try:
                params = {name: one.convertors[name].convert(value) for name, value in match.groupdict().items()}
            except ValueError:  # a whole number of more digits than Python reads
                continue
            taken = Taken(route, one.taken.instance, one.taken.path, one.taken.where, MappingProxyType(params))
            methods = ("WEBSOCKET",) if kind == "websocket" else _with_head(route.methods)
            for method in methods:
                found.setdefault(method, taken)
        return found

    def _add(self, instance: str, where: str, route: Route, path: str) -> None:
        def wrong(message: str, hint: str = "") -> PluginError:
            return PluginError(f"plugin {instance}: route {path}: {message}", where=where, hint=hint)

        if not route.path.startswith("/"):
            raise wrong("a path starts with /")
        try:
            regex, _, convertors = compile_path(path)
        except (ValueError, AssertionError) as error:
            raise wrong(str(error)) from error
        if route.access not in (PUBLIC, AUTHENTICATED):
            if not _PERMISSION.fullmatch(route.access):
                raise wrong(
                    f"access {route.access!r} cannot be",
                    "PUBLIC, AUTHENTICATED or a permission like 'audit:read'",
                )
            unknown = set(_PARAMETER.findall(route.access)) - set(convertors)
            if unknown or "{" in _PARAMETER.sub("", route.access):
                raise wrong(f"access {route.access!r} names a parameter that the path has not")
        if route.early and route.access != PUBLIC:
            raise wrong("an endpoint that is served before start-up has no guard in front, so it must be PUBLIC")
        if route.kind == "http" and not (route.methods and all(m.isalpha() and m.isupper() for m in route.methods)):
            raise wrong("methods are upper-case words")
        new = _Compiled(Taken(route, instance, path, where), regex, convertors)
        for one in self._compiled:
            if one.taken.instance != instance and _overlap(one.taken, new.taken):
                raise PluginError(
                    f"plugins {one.taken.instance} and {instance} both claim the path {path}",
                    where=where,
                    hint=f"give one of them another path; {one.taken.instance} is at {one.taken.where}",
                )
        self._compiled.append(new)


def _with_head(methods: Sequence[str]) -> tuple[str, ...]:
    return (*methods, "HEAD") if "GET" in methods and "HEAD" not in methods else tuple(methods)


def _overlap(one: Taken, other: Taken) -> bool:
    """Whether some request could be meant for both."""
    if one.route.kind != other.route.kind:
        return False
    if one.route.kind == "http" and set(_with_head(one.route.methods)).isdisjoint(_with_head(other.route.methods)):
        return False
    return _may_meet(one.path.split("/"), other.path.split("/"))


def _may_meet(one: list[str], other: list[str]) -> bool:
    for left, right in zip(one, other, strict=False):
        if ":path}" in left or ":path}" in right:
            return True
        if "{" not in left and "{" not in right and left != right:
            return False
    return len(one) == len(other)
