"""The frozen chain: what boot found, folded into tuples of bound methods, and one plan per path.

A chain never changes once it is made; a reload makes another one beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from narthex.asgi import ASGIApp, Scope
from narthex.hooks import STAGES
from narthex.paths import PathSet, route_path
from narthex.plan import Plan, Step, Taken
from narthex.routetable import RouteTable
from narthex.routing import PUBLIC

Kind = Literal["http", "websocket"]
_CACHED_PATHS: Final = 4096
_LONGEST_KEPT: Final = 256
"""Plans kept per kind, and the longest path among them in characters: under 8 MB in all, whatever is asked."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """The plan of a path, or of each method where a plugin's endpoint takes it."""

    plan: Plan
    by_method: Mapping[str, Plan] | None = None


class Chain:
    """Every stage of one configuration.

    Args:
        steps: stage name to its steps, in file order.
        routes: the plugins' endpoints.
        open_paths: where credentials are optional.
        quiet_paths: what is not worth a line.
    """

    def __init__(
        self,
        steps: Mapping[str, Sequence[Step]],
        routes: RouteTable,
        open_paths: PathSet,
        quiet_paths: PathSet,
        *,
        strict_paths: bool = True,
    ) -> None:
        self.steps: Mapping[str, tuple[Step, ...]] = {stage: tuple(steps.get(stage, ())) for stage in STAGES}
        self.routes = routes
        self.open_paths = open_paths
        self.quiet_paths = quiet_paths
        self.own_root = ""
        self._strict = strict_paths
        self._guards = any(self.steps[stage] for stage in ("admit", "authenticate", "vet", "authorize"))
        self._cache: dict[Kind, dict[str, _Entry]] = {"http": {}, "websocket": {}}
        uniform = not (routes or open_paths or quiet_paths)
        self._uniform = self._plan(is_open=False, quiet=False) if uniform else None

    @property
    def bare(self) -> bool:
        """Whether nothing at all stands between server and app."""
        return self._uniform is not None and not any(self.steps.values())

    def plan(self, scope: Scope, kind: Kind) -> Plan:
        """What applies to this exchange. Cost: nothing where all paths are alike, else one or two look-ups."""
        if self._uniform is not None:
            return self._uniform
        path: str = scope["path"]
        if self.own_root or not path or scope.get("root_path"):
            path = route_path(scope, self.own_root)
        entry = self._cache[kind].get(path)
        if entry is None:
            # A long path is worked out each time: what is kept is bounded in bytes, not in entries alone.
            entry = self._remember(kind, path) if len(path) <= _LONGEST_KEPT else self._resolve(kind, path)
        if entry.by_method is None:
            return entry.plan
        return entry.by_method.get(scope.get("method", "GET"), entry.plan)

    def _remember(self, kind: Kind, path: str) -> _Entry:
        cache = self._cache[kind]
        if len(cache) >= _CACHED_PATHS:
            cache.clear()  # somebody walks random paths; the known ones come back by themselves
        entry = cache[path] = self._resolve(kind, path)
        return entry

    def _resolve(self, kind: Kind, path: str) -> _Entry:
        quiet = self.quiet_paths.matches(path) is not None
        taken = self.routes.match(kind, path)
        if not taken:
            is_open = self.open_paths.matches(path) is not None
            return _Entry(self._plan(is_open=is_open, quiet=quiet))
        plans = {
            method: self._plan(is_open=one.route.access == PUBLIC, quiet=quiet, taken=one)
            for method, one in taken.items()
        }
        if kind == "websocket":
            return _Entry(next(iter(plans.values())))
        refused = self._plan(is_open=False, quiet=quiet, allowed_methods=tuple(sorted(plans)))
        return _Entry(refused, plans)

    def _plan(self, *, is_open: bool, quiet: bool, **taken: Any) -> Plan:
        stages: dict[str, Any] = dict(self.steps)
        if is_open or taken:
            stages["authorize"] = ()
        early = isinstance(one := taken.get("taken"), Taken) and one.route.early
        if early:
            # Served before any guard has started, so a guard in front later on would only keep probes out.
            for stage in ("admit", "authenticate", "vet", "witness"):
                stages[stage] = ()
        guarded = not early and (self._guards or (bool(taken) and not is_open))
        strict = guarded and self._strict
        return Plan(open=is_open, quiet=quiet, guarded=guarded, strict=strict, **stages, **taken)


def fold(wrappers: Sequence[Any], app: ASGIApp) -> ASGIApp:
    """Put wrappers round an app, the first one outermost."""
    for wrapper in reversed(wrappers):
        app = wrapper(app)
    return app
