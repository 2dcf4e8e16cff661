"""The plugin in a house: endpoints, events, open exchanges, and a store that goes away."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from narthex import Exchange, House, Identity, Narthex, Settings, hookimpl
from narthex.events import Event
from narthex.services import TokenRevoker
from narthex.testing import Client, FixedClock, Reply
from narthex_plugins.revocation.events import IssuerRevoked, SessionRevoked, SubjectRevoked, TokenRevoked
from narthex_plugins.revocation.plugin import Revocation

DAY = 86_400.0


class Names(Settings):
    """Nothing to set."""


class Named:
    """Believe what the caller says."""

    name = "named"
    Settings = Names

    def __init__(self, settings: Names, house: House) -> None:
        self._clock = house.clock

    @hookimpl
    def authenticate(self, exchange: Exchange) -> Identity | None:
        """Take the identity from the header: subject, `jti`, session, age in seconds; "-" for none."""
        given = exchange.headers.get("x-who")
        if given is None:
            return None
        subject, token, session, age = (None if word == "-" else word for word in given.split())
        now = self._clock.now()
        roles = frozenset({"admin"} if subject == "root" else ())
        issued = None if age is None else now - float(age)
        return Identity(
            subject=subject or "", issuer="us", token_id=token, session_id=session, issued_at=issued, roles=roles
        )


@dataclass(slots=True)
class Place:
    """A house with the plugin, and what it told."""

    client: Client
    plugin: Revocation
    clock: FixedClock
    told: list[Event]

    def ask(self, who: str = "alice t1 s1 0", path: str = "/") -> Reply:
        return self.client.get(path, [("x-who", who)])

    def post(self, who: str = "root t0 s0 0", **order: Any) -> Reply:
        return self.client.post("/_narthex/revocations", [("x-who", who)], json=order)


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"fine"})


def config(store: str = "memory", **more: object) -> dict[str, Any]:
    """A house whose callers are believed; `more` is the plugin's table."""
    table = {"use": "narthex_plugins.revocation:Revocation", **more}
    return {"narthex": {"store": store}, "plugins": {"named": {"use": f"{__name__}:Named"}, "revocation": table}}


@contextmanager
def place(store: str = "memory", serve: Any = app, clock: FixedClock | None = None, **more: object) -> Iterator[Place]:
    clock = clock or FixedClock()
    with Client(serve, config(store, **more), clock=clock) as client:
        plugin = plugin_of(client.house)
        told: list[Event] = []
        plugin._house.events.subscribe(Event, told.append)
        yield Place(client, plugin, clock, told)


def plugin_of(house: Narthex) -> Revocation:
    found = house.guests[1].plugin
    assert isinstance(found, Revocation)
    return found


@pytest.fixture
def here() -> Iterator[Place]:
    with place() as made:
        yield made


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"token": "t1"}, "token_revoked"),
        ({"session": "s1"}, "session_revoked"),
        ({"subject": "alice"}, "subject_revoked"),
        ({"issued_before": 1}, None),
        ({"token": "t1", "issuer": "them"}, None),
    ],
)
def test_what_is_revoked_is_refused(here: Place, order: dict[str, Any], code: str | None) -> None:
    assert here.ask().status == 200
    assert here.post(**order).status == 201
    reply = here.ask()
    assert (reply.status, None if code is None else reply.json()["code"]) == (401 if code else 200, code)


def test_everything_issued_before_a_time_is_refused_and_what_came_later_is_not(here: Place) -> None:
    assert here.post(issued_before=here.clock.now() - 30, issuer="*").status == 201
    assert here.ask("alice t1 s1 31").json()["code"] == "issued_before_cut"
    assert here.ask("alice t1 s1 29").status == 200


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"token": "a", "session": "b"},
        {"token": ""},
        {"token": 3},
        {"token": "a\0"},
        {"token": "\ud800"},
        {"subject": "a", "issued_before": "2100-01-01T00:00:00Z"},
        {"subject": "a", "issued_before": "2020-01-01"},
        {"session": "a", "issued_before": 1},
        {"subject": "a", "issuer": "*"},
        {"subject": "a", "until": 3},
        {"subject": "a", "expires_at": 3},
    ],
)
def test_an_order_that_means_nothing_is_refused(here: Place, order: dict[str, Any]) -> None:
    reply = here.post(**order)
    assert (reply.status, reply.json()["code"]) == (400, "request_invalid")


ODD = ["'; --", "a\nb\tc", "\u202ereversed", "%_*", "é", "e\u0301", "\U0001f511" * 300, " ", "*", "a" * 2000]


@pytest.mark.parametrize("name", ODD)
def test_names_are_kept_and_compared_as_they_are(store_url: str, name: str) -> None:
    with place(store_url) as here:
        for kind in ("token", "session", "subject"):
            assert here.post(**{kind: name}, reason=name).status == 201
        listed = here.ask("root t0 s0 0", "/_narthex/revocations").json()["revocations"]
        assert {one[one["kind"]] for one in listed} == {one["reason"] for one in listed} == {name}
        shown = (
            Identity(subject="a", issuer="us", token_id=name),
            Identity(subject="a", issuer="us", session_id=name),
            Identity(subject=name, issuer="us", issued_at=here.clock.now()),
        )
        found = [here.plugin._checker.judge(one, here.clock.now()) for one in shown]
        assert [None if one is None else one.code for one in found] == [
            "token_revoked",
            "session_revoked",
            "subject_revoked",
        ]


def test_the_list_and_undo(here: Place) -> None:
    for name in ("a", "b", "c"):
        here.post(subject=name, reason=f"because of {name}")
    first = here.ask("root t0 s0 0", "/_narthex/revocations?limit=2").json()
    assert [one["subject"] for one in first["revocations"]] == ["c", "b"]
    rest = here.ask("root t0 s0 0", f"/_narthex/revocations?limit=2&before={first['next']}").json()
    assert [(one["reason"], one["by"]) for one in rest["revocations"]] == [("because of a", "root")]
    assert rest["next"] is None
    undo = here.client.request("DELETE", "/_narthex/revocations/1", [("x-who", "root t0 s0 0")])
    assert (undo.status, undo.json()["code"]) == (405, "revocation_final")


def test_only_who_may_revokes_and_reads(here: Place) -> None:
    assert here.post("alice t1 s1 0", subject="root").status == 403
    assert here.ask(path="/_narthex/revocations").status == 403
    assert here.client.get("/_narthex/revocations").status == 401


def test_sessions_need_somebody_who_keeps_them(here: Place) -> None:
    reply = here.ask(path="/_narthex/sessions")
    assert (reply.status, reply.json()["code"]) == (404, "sessions_unknown")


def test_each_revocation_is_told(here: Place) -> None:
    here.post(token="t1", reason="lost")
    here.post(session="s1")
    here.post(subject="alice")
    here.post(issued_before=5)
    told = [one for one in here.told if isinstance(one, TokenRevoked | SessionRevoked | SubjectRevoked | IssuerRevoked)]
    assert [type(one).__name__ for one in told] == ["TokenRevoked", "SessionRevoked", "SubjectRevoked", "IssuerRevoked"]
    assert [(one.version, one.by) for one in told] == [(number, "root") for number in (1, 2, 3, 4)]
    assert told[0].reason == "lost"


def test_the_service_refuses_all_three(here: Place) -> None:
    revoker = here.plugin._house.service(TokenRevoker)  # type: ignore[type-abstract]
    assert revoker is not None
    here.client.run(revoker.revoke_token("t1", "us", here.clock.now() + 60, "", None))
    here.client.run(revoker.revoke_session("s2", "us", "", None))
    here.client.run(revoker.revoke_subject("carol", "us", "", None))
    asked = ("alice t1 s9 0", "bob t2 s2 0", "carol t3 s3 0", "dave t4 s4 0")
    assert [here.ask(who).status for who in asked] == [401, 401, 401, 200]


def test_a_list_that_cannot_be_looked_at_refuses_and_says_so(here: Place) -> None:
    here.plugin._store._reading, reading = None, here.plugin._store._reading  # type: ignore[attr-defined]
    here.clock.advance(5)
    reply = here.ask()
    here.plugin._store._reading = reading  # type: ignore[attr-defined]
    assert (reply.status, reply.json()["code"], reply.headers["retry-after"]) == (503, "revocation_list_stale", "1")


def test_an_anonymous_caller_passes(here: Place) -> None:
    assert here.client.get("/").status == 200


def test_what_was_forgotten_matters_again_where_the_clock_is_set_back(tmp_path: Any) -> None:
    with place(f"sqlite:///{tmp_path}/narthex.db") as here:
        here.post(token="t1", expires_at=here.clock.now() + 60)
        here.clock.advance(5000)
        here.plugin._entries.drop(here.clock.now())
        assert here.ask().status == 200
        here.clock.advance(-5000)
        assert here.ask().json()["code"] == "token_revoked"


def test_a_house_that_starts_knows_what_was_revoked_before(tmp_path: Any) -> None:
    with place(f"sqlite:///{tmp_path}/narthex.db") as first:
        first.post(subject="alice")
        with place(f"sqlite:///{tmp_path}/narthex.db") as second:
            assert second.ask("alice t1 s1 5").status == 401
            second.post(session="s7")
            assert first.ask("bob t7 s7 0").status == 401
