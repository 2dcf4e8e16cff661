"""How the app learns who asks: scope keys, headers, client address."""

import asyncio
from typing import Any

import pytest

from narthex import Identity, Narthex
from narthex.asgi import Scope
from narthex.testing import config, drive, http_scope
from tests.apps import Hello
from tests.guests import offer

ALICE = Identity(
    subject="älice, admin",
    roles=frozenset({"user", "a,b"}),
    permissions=frozenset({"orders:read"}),
    session_id="s 1",
)


def seen_by_app(
    *expose: str, headers: list[tuple[bytes, bytes]] | None = None, who: Identity | None = ALICE, **more: Any
) -> Scope:
    """The scope the app gets behind an identifier."""
    app = Hello()
    scope = {**http_scope("GET", "/"), "headers": headers or [], **more}
    before = dict(scope)
    narthex = {"expose": list(expose), "trusted_proxies": ["127.0.0.1"]}
    house = Narthex(app, {"narthex": narthex, **config(auth=offer(authenticate=lambda exchange: who))})
    asyncio.run(drive(house, scope, []))
    assert scope == before
    return app.scopes[0]


def test_the_identity_is_always_in_the_scope() -> None:
    assert seen_by_app()["narthex.identity"] is ALICE
    assert seen_by_app(who=None)["narthex.identity"] is None


def test_starlettes_user_and_auth_are_set_where_asked_for() -> None:
    scope = seen_by_app("starlette")
    assert (scope["user"].is_authenticated, scope["user"].display_name) == (True, "älice, admin")
    assert scope["auth"].scopes == ["authenticated", "orders:read"]
    anonymous = seen_by_app("starlette", who=None)
    assert (anonymous["user"].is_authenticated, anonymous["auth"].scopes) == (False, [])
    assert "user" not in seen_by_app()


def test_headers_say_who_asks_and_can_neither_split_the_message_nor_a_list() -> None:
    fields = dict(seen_by_app("headers")["headers"])
    assert fields[b"x-narthex-subject"] == b"%C3%A4lice%2C%20admin"
    assert fields[b"x-narthex-roles"] == b"a%2Cb,user"
    assert fields[b"x-narthex-session"] == b"s%201"


def test_half_a_surrogate_pair_in_a_subject_arrives_as_something_of_its_own() -> None:
    fields = dict(seen_by_app("headers", who=Identity(subject="a\ud800"))["headers"])
    assert fields[b"x-narthex-subject"] == b"a%ED%A0%80"


FORGED = [
    b"x-narthex-subject",
    b"x-narthex-anything",
    b"X-Narthex-Subject",
    b"x_narthex_subject",
    b"X_Narthex-Roles",
    b"x-narthex_session",
]


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize("expose", [(), ("headers",), ("starlette",)])
def test_a_callers_own_fields_of_that_name_never_arrive(name: bytes, expose: tuple[str, ...]) -> None:
    forged = [(name, b"root"), (b"accept", b"*/*"), (name, b"root")]
    fields = seen_by_app(*expose, headers=forged, who=None)["headers"]
    assert fields == [(b"accept", b"*/*")]


@pytest.mark.parametrize("name", [b"x-narthexual", b"narthex-subject", b"x-my-narthex-subject", b"xnarthex"])
def test_fields_that_only_look_alike_stay(name: bytes) -> None:
    assert seen_by_app(headers=[(name, b"1")])["headers"] == [(name, b"1")]


def test_without_identifier_or_expose_nothing_is_stripped() -> None:
    app = Hello()
    scope = {**http_scope("GET", "/"), "headers": [(b"x-narthex-subject", b"me")]}
    asyncio.run(drive(Narthex(app), scope, []))
    assert app.scopes[0]["headers"] == [(b"x-narthex-subject", b"me")]


def test_the_client_behind_a_trusted_proxy_is_put_into_the_scope_where_asked_for() -> None:
    forwarded = [(b"x-forwarded-for", b"203.0.113.7"), (b"x-forwarded-proto", b"https")]
    scope = seen_by_app("client", headers=forwarded)
    assert (scope["client"], scope["scheme"]) == (("203.0.113.7", 0), "https")
    assert seen_by_app(headers=forwarded)["client"] == ("127.0.0.1", 50000)
