"""What is known of one exchange."""

import asyncio
import random
import re
from collections.abc import MutableMapping
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narthex import Exchange, Identity, Narthex
from narthex.exchange import Hall
from narthex.plan import Plan
from narthex.proxies import TrustedProxies
from narthex.services import CorePermissions
from narthex.testing import config, drive, http_scope, websocket_scope
from tests.apps import Hello
from tests.guests import eye


def exchange(scope: MutableMapping[str, Any] | None = None, *trusted: str) -> Exchange:
    scope = scope or http_scope("GET", "/")
    hall = Hall(TrustedProxies(trusted), CorePermissions, trusting=bool(trusted))
    return Exchange(scope, scope["type"], Plan(), hall, 0.0)


def with_id(value: bytes) -> str:
    return exchange({**http_scope("GET", "/"), "headers": [(b"x-request-id", value)]}).id


@pytest.mark.parametrize("value", ["a", "A-1_b.c~d+e/f=g:h@i", "x" * 128])
def test_a_callers_harmless_request_id_is_taken_over(value: str) -> None:
    assert with_id(value.encode()) == value


@pytest.mark.parametrize("value", [b"", b"x" * 129, b"a b", b"a\n", b'a"b', b"a<b", "ü".encode(), b"a,b", b"a;b"])
def test_any_other_is_replaced_by_32_hex_digits(value: bytes) -> None:
    assert re.fullmatch("[0-9a-f]{32}", with_id(value))


@given(st.binary(max_size=200))
def test_no_request_id_can_break_a_line_or_a_page(value: bytes) -> None:
    assert re.fullmatch(r"[\w.~+/=:@-]{1,128}", with_id(value), re.ASCII)


def test_an_id_stays_the_same_and_does_not_follow_the_apps_seed() -> None:
    random.seed(1)
    one = exchange()
    first = one.id
    random.seed(1)
    assert one.id == first
    assert exchange().id != first


def test_the_scope_is_read_only_and_repeats_of_headers_are_kept() -> None:
    pairs = [("accept", "a"), ("Accept", "b")]
    one = exchange(http_scope("GET", "/a?b=c", pairs))
    with pytest.raises(TypeError):
        cast("dict[str, Any]", one.scope)["path"] = "/b"
    assert one.headers.getlist("ACCEPT") == ["a", "b"]
    assert (one.method, one.path, one.query) == ("GET", "/a", "b=c")


def test_one_field_is_found_without_the_others_whatever_the_app_does_to_the_list() -> None:
    fields = [(b"X-One", b"1"), (b"x-one", b"2")]
    one = exchange({**http_scope("GET", "/"), "headers": fields})
    assert (one.field(b"x-one"), one.field(b"x-two")) == (b"1", None)
    fields.clear()
    assert (one.field(b"x-one"), one.headers.getlist("x-one")) == (b"1", ["1", "2"])


def test_a_websockets_method_is_websocket() -> None:
    one = exchange(websocket_scope("/a"))
    assert (one.method, one.scheme) == ("WEBSOCKET", "ws")


def test_the_route_path_is_the_apps() -> None:
    assert exchange({**http_scope("GET", "/app/a"), "root_path": "/app"}).route_path == "/a"


def test_the_client_is_the_peer_unless_a_trusted_proxy_says_otherwise() -> None:
    scope = http_scope("GET", "/", [("x-forwarded-for", "203.0.113.7")])
    assert exchange(scope).client == "127.0.0.1"
    assert exchange(scope, "127.0.0.1").client == "203.0.113.7"
    assert exchange({**scope, "client": None}).client is None


def test_headers_show_names_only() -> None:
    shown = repr(exchange(http_scope("GET", "/", [("authorization", "Bearer secret")])).headers)
    assert "authorization" in shown
    assert "secret" not in shown


def test_plugins_share_a_place_of_the_exchange() -> None:
    one = exchange()
    one.state["a"] = 1
    assert one.state == {"a": 1}
    assert exchange().state == {}


def test_times_and_status_are_known_once_the_exchange_has_ended() -> None:
    seen: list[Exchange] = []
    asyncio.run(drive(Narthex(Hello(), config(eye=eye(seen))), http_scope("GET", "/"), []))
    assert seen[0].ended is not None
    assert seen[0].ended >= seen[0].started
    assert "GET / status=200" in repr(seen[0])


def test_an_identity_takes_lists_but_no_single_word_and_is_never_nobody() -> None:
    roles: Any = ["user", "admin"]
    assert Identity(subject="a", roles=roles).roles == frozenset({"user", "admin"})
    with pytest.raises(TypeError, match="not one str"):
        Identity(subject="a", roles=cast("Any", "admin"))
    with pytest.raises(ValueError, match="needs a subject"):
        Identity(subject="")
    with pytest.raises(TypeError, match="subject"):
        Identity(subject=cast("Any", 7))
    with pytest.raises(TypeError, match="roles"):
        Identity(subject="a", roles=cast("Any", {"user", 1}))
    with pytest.raises(ValueError, match="expires_at"):
        Identity(subject="a", expires_at=float("nan"))


def test_the_claims_of_an_identity_cannot_be_changed() -> None:
    claims: dict[str, object] = {"a": 1}
    who = Identity(subject="a", claims=claims)
    claims["a"] = 2
    assert who.claims == {"a": 1}
    with pytest.raises(TypeError):
        cast("dict[str, object]", who.claims)["a"] = 3
