"""What applies to one path, worked out once and kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from narthex.routing import Route


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One plugin's hook in one stage, ready to be called without asking pluggy.

    Attributes:
        call: bound method; takes the exchange, or nothing where the hook does not name it.
        instance: the table's name in the file.
        plugin: the plugin's own name.
        hook: the stage.
        is_async: whether the call must be awaited; judged at boot.
        shadow: its Deny is counted and logged, and the walk goes on.
        timeout: seconds an async call may take, or None.
        where: "narthex.toml:12", the line of the plugin's table.
    """

    call: Callable[..., Any]
    instance: str
    plugin: str
    hook: str
    is_async: bool
    shadow: bool = False
    timeout: float | None = None
    where: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A plugin's endpoint that answers a path in place of the app."""

    route: Route
    instance: str
    path: str
    where: str = ""
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The stages of one path.

    Attributes:
        open: credentials are optional here, and `authorize` is skipped.
        quiet: no access line, no span, not counted; refusals, errors and audit records are never quiet.
        judged: something is asked before the app; worked out from the others.
        guarded: the stages hold a guard, identifier or policy, so several credentials are refused.
        strict: odd paths are refused too.
        taken: the plugin endpoint that answers, or None where the app does.
        unserved: the house has not started and could not be: refused with 503.
        allowed_methods: where the path is taken but not for this method, the methods it has; else empty.
    """

    open: bool = False
    quiet: bool = False
    guarded: bool = False
    strict: bool = False
    taken: Taken | None = None
    allowed_methods: tuple[str, ...] = ()
    unserved: bool = False
    admit: tuple[Step, ...] = ()
    authenticate: tuple[Step, ...] = ()
    vet: tuple[Step, ...] = ()
    authorize: tuple[Step, ...] = ()
    witness: tuple[Step, ...] = ()
    respond: tuple[Step, ...] = ()
    observe: tuple[Step, ...] = ()
    judged: bool = field(init=False)

    def __post_init__(self) -> None:
        stages = (self.admit, self.authenticate, self.vet, self.authorize, self.witness)
        judged = self.guarded or self.taken is not None or bool(self.allowed_methods) or any(stages)
        object.__setattr__(self, "judged", judged)
