"""What is taken down while a request passes: references to what is known, no text, no JSON. `building` makes records.

A `Page` goes with an exchange that has more to tell than its end: an event that names what the request was (a login),
records of the app, and in strict mode what is on disk already.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from narthex import Exchange, Identity
from narthex.events import Event
from narthex.plan import Step
from narthex.verdict import Verdict

CUT: Final = "the answer had begun when it failed"


@dataclass(slots=True, eq=False)
class Seen:
    """A request at one moment of its way.

    Attributes:
        at: seconds since the epoch.
        intent: it has not been to the app yet.
        ruled: policies were asked.
        cut: it failed after its outcome was recorded.
    """

    at: float
    request_id: str
    trace_id: str | None
    address: str | None
    identity: Identity | None
    method: str
    path: str
    query: str
    status: int | None
    verdict: Verdict | None
    step: Step | None
    error: type[BaseException] | None
    event: Event | None = None
    intent: bool = False
    ruled: bool = False
    cut: bool = False


@dataclass(slots=True, eq=False)
class Heard:
    """An event, and the request it was published in, if it was in one."""

    at: float
    event: Event
    request_id: str | None
    trace_id: str | None
    address: str | None
    identity: Identity | None


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """What the app gives: as `app.record` has it.

    Attributes:
        before: digest of what it was.
        after: digest of what it is.
        details: nobody else's; JSON.
    """

    action: str
    resource: str | None
    outcome: str
    reason: str
    actor: str | None
    before: str | None
    after: str | None
    details: Mapping[str, Any]


@dataclass(slots=True, eq=False)
class Said:
    """What the app has to say, and the request it said it in, if it was in one."""

    at: float
    words: Words
    request_id: str | None
    trace_id: str | None
    address: str | None
    identity: Identity | None


Note = Seen | Heard | Said


@dataclass(slots=True, eq=False)
class Page:
    """What goes with an exchange, under the plugin's name in its `state`.

    Attributes:
        event: names what the request was.
        said: in strict mode the app's records, and events, until they are written with the outcome.
        intent: is on disk.
        outcome: is on disk.
        error: it had failed by then.
    """

    event: Event | None = None
    said: list[Said | Heard] = field(default_factory=list["Said | Heard"])
    intent: bool = False
    outcome: bool = False
    error: bool = False


def see(exchange: Exchange, at: float, event: Event | None = None, *, intent: bool = False, cut: bool = False) -> Seen:
    """Take down a request. Cost: about 2 µs, most of it for the id where nobody has asked for it yet."""
    plan, error = exchange.plan, exchange.error
    return Seen(
        at,
        exchange.id,
        exchange.trace_id,
        exchange.client,
        exchange.identity,
        exchange.method,
        exchange.route_path,
        exchange.query,
        exchange.status,
        exchange.verdict,
        exchange.decided_by,
        None if error is None else type(error),
        event,
        intent,
        bool(plan.authorize),
        cut,
    )


Context = tuple[str | None, str | None, str | None, Identity | None]


def context_of(exchange: Exchange | None) -> Context:
    """Request id, trace id, address and identity of an exchange, as the last four of `Heard` and `Said`."""
    if exchange is None:
        return None, None, None, None
    return exchange.id, exchange.trace_id, exchange.client, exchange.identity


def hear(exchange: Exchange | None, at: float, event: Event) -> Heard:
    """Take down an event."""
    return Heard(at, event, *context_of(exchange))
