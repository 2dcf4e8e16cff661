"""Random chains before random apps, against a model that knows the stages' table of DESIGN and nothing of the code.

`WALK_EXAMPLES=20000 pytest tests/property/test_walk.py` looks longer.
"""

import asyncio
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from narthex import Exchange, Narthex, Refused, require_role
from narthex.asgi import Message, Receive, Scope, Send
from narthex.testing import Reply, drive, http_scope, websocket_scope
from tests.acting import ACTING, SECRET
from tests.apps import body, http, start
from tests.guests import eye

EXAMPLES: Final = int(os.environ.get("WALK_EXAMPLES", "150"))
APP: Final = b"bytes-of-the-app"
Kind = Literal["http", "websocket", "websocket without denial"]

FAULTS: Final = ("raise", "dependency", "timeout", "cancel", "nonsense", "falsy", "awaitable", "hang")
ACTS: Final = {
    "admit": ("none", "none", "none", "deny403", "deny401", "answer", "allow", "alice", *FAULTS),
    "authenticate": ("none", "alice", "alice", "alice", "deny401", "deny403", "answer", "allow", *FAULTS),
    "vet": ("none", "none", "none", "deny401", "deny429", "answer", "allow", "alice", *FAULTS),
    "authorize": ("none", "allow", "allow", "allow", "deny403", "answer", "alice", *FAULTS),
    "respond": ("none", "header", "header", "bytes", "deny403", *FAULTS),
    "observe": ("none", "deny403", *FAULTS),
}
REFUSING: Final = ("admit", "authenticate", "vet", "authorize")


@dataclass(frozen=True)
class Guest:
    """One plugin of the chain."""

    stage: str
    act: str
    waits: bool
    shadow: bool

    def table(self) -> dict[str, object]:
        mode = {"mode": "shadow"} if self.shadow else {}
        timeout = 0.01 if self.act == "hang" else 60.0  # a busy machine must not make the others late
        return {**ACTING[self.stage, self.waits], "act": self.act, "timeout": timeout, **mode}


@st.composite
def guests(draw: st.DrawFn) -> Guest:
    stage = draw(st.sampled_from(sorted(ACTS)))
    act = draw(st.sampled_from(ACTS[stage]))
    waits = act == "hang" or (act != "awaitable" and draw(st.booleans()))
    shadow = stage in REFUSING and draw(st.integers(0, 5)) == 0
    return Guest(stage, act, waits, shadow)


seen: list[Exchange] = []
LAST: Final = eye(seen)
chains = st.lists(guests(), max_size=7)


# -- the model


@dataclass(frozen=True)
class Outcome:
    """What the house decides: None means that the app is reached."""

    status: int | None
    identified: bool = False


_FAULT_STATUS: Final = {"dependency": 503, "timeout": 503, "hang": 503}
_VERDICTS: Final = {"deny401": 401, "deny403": 403, "deny429": 429, "answer": 204}


def status_of(stage: str, act: str) -> int | None:
    """What one hook means: a status that ends the walk, or None."""
    good = {"admit": (), "vet": (), "authenticate": ("alice",), "authorize": ("allow",)}
    if act == "none" or act in good[stage]:
        return None
    return _VERDICTS.get(act) or _FAULT_STATUS.get(act, 500)


def model(chain: list[Guest], *, is_open: bool) -> Outcome:
    """Walk the table by hand."""
    identified = False
    for stage in REFUSING[:3]:
        for guest in (one for one in chain if one.stage == stage):
            status = status_of(stage, guest.act)
            if status is not None and not guest.shadow:
                if not (status == 401 and is_open and stage != "admit"):
                    return Outcome(status)
                identified = False
            if guest.act == "alice" and stage == "authenticate":
                identified = True
                break
    return Outcome(None if is_open else _policies(chain, identified=identified), identified)


def _policies(chain: list[Guest], *, identified: bool) -> int | None:
    policies = [one for one in chain if one.stage == "authorize" and not one.shadow]
    said = [status_of("authorize", one.act) for one in policies]
    refusals = [status for status in said if status is not None and status >= 400]
    if refusals:
        return refusals[0]
    if 204 in said:
        return 204
    if not policies or any(one.act == "allow" for one in policies):
        return None
    known = any(one.stage == "authenticate" for one in chain)
    return 403 if identified or not known else 401


# -- the apps


@require_role("user")
def for_users() -> None:
    """Pass whoever is alice."""


@require_role("engineer")
def for_engineers() -> None:
    """Pass nobody here."""


Ending = Literal["whole", "stream", "raise", "raise late", "guard", "guard caught", "guard late", "guard late caught",
                 "guard, silent", "guard, other error", "allowed by guard"]  # fmt: skip
ENDINGS: Final[tuple[Ending, ...]] = Ending.__args__  # type: ignore[attr-defined]


class App:
    """Does what its ending says, over http and websocket."""

    def __init__(self, ending: Ending) -> None:
        self.ending = ending
        self.reached = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached += 1
        await receive()
        said = self._websocket() if scope["type"] == "websocket" else self._http()
        try:
            for item in said:
                await send(item)
        except Refused:
            if "caught" not in self.ending and self.ending != "guard, silent":
                if self.ending == "guard, other error":
                    raise LookupError(SECRET) from None
                raise
            if self.ending != "guard, silent":
                for item in self._after(scope["type"]):
                    await send(item)

    def _guards(self, *, late: bool) -> None:
        if (self.ending == "raise late" and late) or (self.ending == "raise" and not late):
            raise RuntimeError(SECRET)
        if "late" in self.ending if late else "late" not in self.ending and "guard" in self.ending:
            if self.ending == "allowed by guard":
                for_users()
            elif "guard" in self.ending:
                for_engineers()

    def _http(self) -> Iterator[Message]:
        self._guards(late=False)
        yield start(200, (b"x-app", b"yes"))
        yield body(APP, more=self.ending != "whole")
        self._guards(late=True)
        if self.ending != "whole":
            yield body(APP)

    def _websocket(self) -> Iterator[Message]:
        self._guards(late=False)
        yield {"type": "websocket.accept"}
        yield {"type": "websocket.send", "bytes": APP}
        self._guards(late=True)
        yield {"type": "websocket.send", "bytes": APP}
        yield {"type": "websocket.close", "code": 1000}

    def _after(self, kind: str) -> Iterator[Message]:
        if kind == "http":
            yield from (start(200), body(APP, more=True), body(APP))
        else:
            yield from ({"type": "websocket.accept"}, {"type": "websocket.send", "bytes": APP})


def app_outcome(ending: Ending, outcome: Outcome) -> int | None:
    """The status the client sees where the app was reached; None where the app says nothing before it raises."""
    if ending == "raise":
        return None
    refuses = "guard" in ending and "late" not in ending
    if refuses and not outcome.identified:
        return 401
    return 403 if refuses and ending != "allowed by guard" else 200


# -- running


def run(chain: list[Guest], ending: Ending, kind: Kind, *, is_open: bool, quiet: bool) -> tuple[App, Reply]:
    app = App(ending)
    places = {"open": ["/open"] if is_open else [], "quiet": ["/open"] if quiet else []}
    tables = {f"guest-{number}": guest.table() for number, guest in enumerate(chain)}
    tables["last"] = LAST
    house = Narthex(http(app), {"narthex": places, "plugins": tables})
    if kind == "http":
        scope, first = http_scope("GET", "/open"), {"type": "http.request", "body": b"", "more_body": False}
    else:
        scope, first = websocket_scope("/open", denial=kind == "websocket"), {"type": "websocket.connect"}
    return app, asyncio.run(drive(house, scope, [first]))


def seen_status(reply: Reply) -> int | None:
    """The status as the client sees it: 1008 stands for a refusal without denial response."""
    if reply.starts:
        return int(reply.starts[0]["status"])
    if not reply.messages:
        return None
    return 200 if reply.messages[0]["type"] == "websocket.accept" else int(reply.messages[0]["code"])


def app_bytes(reply: Reply) -> bytes:
    return b"".join(message.get("bytes", b"") for message in reply.messages) + reply.body


@pytest.fixture(autouse=True, scope="module")
def _silent() -> Iterator[None]:
    logger = logging.getLogger("narthex")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(level)


walks = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
kinds: st.SearchStrategy[Kind] = st.sampled_from(("http", "http", "websocket", "websocket without denial"))
endings = st.sampled_from(ENDINGS)


@walks
@given(chain=chains, ending=endings, kind=kinds, is_open=st.booleans(), quiet=st.booleans())
def test_the_app_is_reached_exactly_when_it_may_be(
    chain: list[Guest], ending: Ending, kind: Kind, is_open: bool, quiet: bool
) -> None:
    app, reply = run(chain, ending, kind, is_open=is_open, quiet=quiet)
    outcome = model(chain, is_open=is_open)
    assert app.reached == (outcome.status is None)
    expected = outcome.status or app_outcome(ending, outcome)
    if kind == "websocket without denial" and expected not in {None, 200}:
        expected = 1008
    assert seen_status(reply) == expected


@walks
@given(chain=chains, ending=endings, kind=kinds, is_open=st.booleans())
def test_what_reaches_the_client_is_one_response_without_secrets(
    chain: list[Guest], ending: Ending, kind: Kind, is_open: bool
) -> None:
    app, reply = run(chain, ending, kind, is_open=is_open, quiet=False)
    opening = [one for one in reply.messages if one["type"].endswith((".start", ".accept"))]
    assert len(opening) <= 1
    assert all(SECRET not in repr(message) for message in reply.messages)
    status = seen_status(reply)
    if status not in {None, 200, 204, 1008}:
        assert json.loads(reply.body).keys() == {"type", "title", "status", "code", "incident"}
        assert reply.complete
    assert app_bytes(reply).count(APP) == expected_chunks(app, ending, kind, status)
    assert type(reply.error) is (expected_error(app, ending, kind) or type(None))


def expected_chunks(app: App, ending: Ending, kind: Kind, status: int | None) -> int:
    """How many pieces of the app may reach the client: after a Deny none, after a late one no more."""
    if not app.reached or status != 200:
        return 0
    short = ending in {"raise late", "guard late", "guard late caught"} or (ending == "whole" and kind == "http")
    return 1 if short else 2


def expected_error(app: App, ending: Ending, kind: Kind) -> type[Exception] | None:
    """What the server gets to log: faults, and a guard's refusal that cannot be told otherwise than by a cut."""
    raised: dict[str, type[Exception]] = {
        "raise": RuntimeError,
        "raise late": RuntimeError,
        "guard, other error": LookupError,
    }
    if kind == "http":
        raised["guard late"] = Refused
    return raised.get(ending) if app.reached else None


@walks
@given(chain=chains, ending=endings, kind=kinds, is_open=st.booleans())
def test_observers_are_all_asked_and_change_nothing(
    chain: list[Guest], ending: Ending, kind: Kind, is_open: bool
) -> None:
    app, reply = run(chain, ending, kind, is_open=is_open, quiet=False)
    asked = seen.pop().state.get("asked", [])
    assert asked.count("observe") == sum(one.stage == "observe" for one in chain)
    tame = [one for one in chain if one.stage not in {"respond", "observe"}]
    app_alone, alone = run(tame, ending, kind, is_open=is_open, quiet=False)
    assert (app.reached, type(reply.error)) == (app_alone.reached, type(alone.error))
    assert list(map(without_names, reply.messages)) == list(map(without_names, alone.messages))
    added = sum(one.stage == "respond" and one.act == "header" for one in chain)
    fields = [field for one in reply.messages for field in one.get("headers", ())]
    opened = any(one["type"].endswith((".start", ".accept")) for one in reply.messages)
    assert fields.count((b"x-acted", b"yes")) == added * opened


def without_names(message: Message) -> Message:
    """The message without what differs from exchange to exchange, and without what `respond` hooks add."""
    kept = {**message, "headers": [one for one in message.get("headers", ()) if one[0] != b"x-acted"]}
    if b'"incident"' in message.get("body", b""):
        kept["body"] = json.loads(message["body"]) | {"incident": ""}
    return kept
