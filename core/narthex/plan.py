"""What applies to one path, worked out once and kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from narthex.routing import Route

Asking = Literal["admit", "authenticate", "vet", "authorize", "witness"]
"""The stages that are asked before the app."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One plugin's hook in one stage, ready to be called without asking pluggy.

    Attributes:
        call: bound method; takes the exchange, or nothing where the hook does not name it.
        instance: the table's name in the file.
        plugin: the plugin's own name.
        hook: the stage.
        is_async: whether the call must be awaited; judged at boot.
        at_once: `is_async`, but it may give its answer itself instead of a coroutine.
        prompt: what it gives may be an answer: it is plain, or `at_once`; worked out from the others.
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
    at_once: bool = False
    prompt: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", self.at_once or not self.is_async)


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
        asked: what is asked before the app, in order; worked out from the others.
        judged: whether `authorize` is among it; worked out too.
        dressed_at_once, observed_at_once: no hook of `respond`, or of `observe`, has to be waited for; worked out too.
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
    asked: tuple[Asking, ...] = field(init=False)
    judged: bool = field(init=False)
    dressed_at_once: bool = field(init=False)
    observed_at_once: bool = field(init=False)

    def __post_init__(self) -> None:
        judged = bool(self.taken is not None or self.allowed_methods or self.authorize)
        asking: tuple[tuple[Asking, object], ...] = (
            ("admit", self.admit),
            ("authenticate", self.authenticate),
            ("vet", self.vet),
            ("authorize", judged),
            ("witness", self.witness),
        )
        object.__setattr__(self, "asked", tuple(stage for stage, wanted in asking if wanted))
        object.__setattr__(self, "judged", judged)
        object.__setattr__(self, "dressed_at_once", not any(step.is_async for step in self.respond))
        object.__setattr__(self, "observed_at_once", not any(step.is_async for step in self.observe))
