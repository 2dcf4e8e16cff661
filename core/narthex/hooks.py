"""Every hook a plugin may implement, on one screen.

Stage hooks are named for their stage, take the exchange and nothing else, and are called in the order of the
file. Boot hooks are named for what is given and take nothing. A stage hook may be plain or `async`, or plain and
marked `may_wait`; core knows which at boot. Of the boot hooks `start`, `stop` and `health` may be `async`. `tryfirst`,
`trylast` and wrappers are refused: order stands in the file.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import pluggy

from narthex.alerting import AlertRule, Board
from narthex.asgi import ASGIApp
from narthex.exchange import Exchange
from narthex.identity import Identity
from narthex.routing import Route
from narthex.verdict import Allow, Answer, Deny, Header

_Hook = TypeVar("_Hook", bound=Callable[..., Any])
hookspec = pluggy.HookspecMarker("narthex")
hookimpl = pluggy.HookimplMarker("narthex")
MAY_WAIT: Final = "narthex_may_wait"

ASKED: Final = ("admit", "authenticate", "vet", "authorize", "witness")
"""The stages before the app."""
STAGES: Final = (*ASKED, "respond", "observe")
BOOT_HOOKS: Final = (
    "start",
    "stop",
    "wrap",
    "routes",
    "health",
    "tables",
    "panels",
    "alert_rules",
    "dashboards",
)


def may_wait(hook: _Hook) -> _Hook:
    """Mark a plain stage hook that gives its answer, or a coroutine of it where that has to be waited for.

    For who nearly always knows the answer: a hook that is `async` costs 0.4 µs before it has said anything.

        @hookimpl
        @may_wait
        def vet(self, exchange: Exchange) -> Deny | None | Coroutine[Any, Any, Deny | None]: ...
    """
    setattr(hook, MAY_WAIT, True)
    return hook


@dataclass(frozen=True, slots=True)
class Inside:
    """A wrapper just round the app: it sees only exchanges that may pass."""

    wrapper: Callable[[ASGIApp], ASGIApp]


@dataclass(frozen=True, slots=True)
class Outside:
    """A wrapper round the whole walk, from before `admit`: it sees refusals too."""

    wrapper: Callable[[ASGIApp], ASGIApp]


@dataclass(frozen=True, slots=True)
class Health:
    """How a plugin is: "pass" and "warn" keep the house ready, "fail" makes `/readyz` answer 503.

    The detail is for operators: no secret, no exception text.
    """

    status: Literal["pass", "warn", "fail"]
    detail: str = ""


class Stages:
    """The walk of one request. A guard that raises or runs out of time refuses; an observer's fault is only counted."""

    @hookspec
    def admit(self, exchange: Exchange) -> Deny | Answer | None:
        """Judge what needs no identity: host, size, address, rate, CORS preflight."""

    @hookspec(firstresult=True)
    def authenticate(self, exchange: Exchange) -> Identity | Deny | Answer | None:
        """Say who asks. The first answer that is not None wins; None means "not mine"."""

    @hookspec
    def vet(self, exchange: Exchange) -> Deny | Answer | None:
        """Judge the credential, anonymous exchanges too: revoked, too old, too often, closed hours."""

    @hookspec
    def authorize(self, exchange: Exchange) -> Allow | Deny | Answer | None:
        """Say whether this is allowed. Any Deny wins; no Allow from any policy is a Deny."""

    @hookspec
    def witness(self, exchange: Exchange) -> None:
        """Keep a record that must not be lost, the intent (`status` None) and the outcome. Raise if it is not kept."""

    @hookspec
    def respond(self, exchange: Exchange) -> Sequence[Header] | None:
        """Give response header fields to append, on every start that the client sees."""

    @hookspec
    def observe(self, exchange: Exchange) -> None:
        """Take note of the finished exchange. Called after refusals and exceptions too."""


class Boot:
    """What a plugin gives when the house is built, and its life."""

    @hookspec
    def start(self) -> None:
        """Open what the plugin needs. Called in file order; raising stops the boot."""

    @hookspec
    def stop(self) -> None:
        """Release it again. Called in reverse order, also when a later plugin failed to start."""

    @hookspec
    def wrap(self) -> Inside | Outside | None:
        """Give an ASGI wrapper. Asked once; file order is from the outside in."""

    @hookspec
    def routes(self) -> Iterable[Route] | None:
        """Give the plugin's own endpoints."""

    @hookspec
    def health(self) -> Health | None:
        """Say how the plugin is, at each readiness probe."""

    @hookspec
    def tables(self) -> object:
        """Give the plugin's tables and migrations."""

    @hookspec
    def panels(self) -> Iterable[Mapping[str, Any]] | None:
        """Give pages of the console."""

    @hookspec
    def alert_rules(self) -> Iterable[AlertRule] | None:
        """Give what somebody should know of. Asked once the house is built."""

    @hookspec
    def dashboards(self) -> Iterable[Board] | None:
        """Give what is worth a graph. Asked once the house is built."""
