"""External issuers in parts: settings, addresses, metadata, when to fetch, what words mean. No network."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from narthex_plugins.auth.claim_words import Words, words_at
from narthex_plugins.auth.discovery import (
    IssuerFault,
    check_address,
    jwks_uri_of,
    metadata_addresses,
    same_origin,
)
from narthex_plugins.auth.freshness import Freshness
from narthex_plugins.auth.issuer_settings import IssuerSettings
from narthex_plugins.auth.settings import AuthSettings

TABLE: dict[str, Any] = {"issuer": "https://login.example", "audience": ("shop",)}


@pytest.mark.parametrize(
    "more",
    [
        {"audience": ()},
        {"issuer": "http://login.example"},
        {"issuer": "http://127.0.0.1:8000"},
        {"issuer": "http://localhost.example", "insecure_http": True},
        {"issuer": "login.example"},
        {"issuer": "https://login.example?tenant=1"},
        {"issuer": "https://login.example#here"},
        {"issuer": "https://me:secret@login.example"},
        {"issuer": "https://"},
        {"jwks_uri": "http://login.example/keys"},
        {"jwks_uri": "/keys"},
        {"algorithms": ("HS256",)},
        {"algorithms": ("none",)},
        {"algorithms": ()},
        {"keep": 60.0},
        {"unknown": 1},
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(more: dict[str, Any]) -> None:
    IssuerSettings(**TABLE)
    with pytest.raises(ValidationError):
        IssuerSettings(**{**TABLE, **more})


@pytest.mark.parametrize("names", [["https://shop.example"], ["https://a.example", "https://a.example"]])
def test_nobody_has_our_name_or_anothers(names: list[str]) -> None:
    issuers = tuple(IssuerSettings(**{**TABLE, "issuer": name}) for name in names)
    with pytest.raises(ValidationError, match="stands twice"):
        AuthSettings(issuer="https://shop.example", issuers=issuers)


@pytest.mark.parametrize("issuer", ["https://login.example/tenant", "https://login.example/tenant/"])
def test_metadata_are_looked_for_where_the_two_standards_say(issuer: str) -> None:
    assert metadata_addresses(issuer) == [
        "https://login.example/tenant/.well-known/openid-configuration",
        "https://login.example/.well-known/oauth-authorization-server/tenant",
    ]


@pytest.mark.parametrize("issuer", ["https://login.example", "https://login.example/"])
def test_an_issuer_without_a_path_has_its_metadata_at_the_root(issuer: str) -> None:
    assert metadata_addresses(issuer) == [
        "https://login.example/.well-known/openid-configuration",
        "https://login.example/.well-known/oauth-authorization-server",
    ]


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"[]",
        b'{"jwks_uri": "https://login.example/keys"}',
        b'{"issuer": "https://login.example/", "jwks_uri": "https://login.example/keys"}',
        b'{"issuer": "https://LOGIN.example", "jwks_uri": "https://login.example/keys"}',
        b'{"issuer": "https://x", "issuer": "https://login.example", "jwks_uri": "https://login.example/keys"}',
        b'{"issuer": "https://login.example", "jwks_uri": ["https://login.example/keys"]}',
    ],
)
def test_metadata_have_to_be_the_issuers_to_the_letter(metadata: bytes) -> None:
    with pytest.raises(IssuerFault):
        jwks_uri_of(metadata, "https://login.example")


def test_metadata_say_where_the_keys_are() -> None:
    metadata = b'{"issuer": "https://login.example", "jwks_uri": "https://keys.example/1"}'
    assert jwks_uri_of(metadata, "https://login.example") == "https://keys.example/1"


@pytest.mark.parametrize(
    "address",
    [
        "https://login.example\\@127.0.0.1/",
        "https://login.example /",
        "https://login.example/\r\nhost: x",
        "https://login.example:99999/",
        "https://[::1/",
        "https://[::1]evil/",
        "https://127.0.0.1%2f.evil/",
        "https://login.example,evil/",
        "ftp://login.example/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest",
        "http://127.0.0.1.example/",
        "HTTP://login.example/",
        "//login.example/",
        "https:///keys",
        "https://l\u00f6gin.example/",
    ],
)
def test_an_address_that_may_not_be_fetched_from_is_refused(address: str) -> None:
    with pytest.raises(IssuerFault):
        check_address(address, insecure_http=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1:80", "[::1]:8000", "localhost", "LOCALHOST:1"])
def test_plain_http_will_do_on_loopback_where_that_was_said(host: str) -> None:
    check_address(f"http://{host}/keys", insecure_http=True)
    with pytest.raises(IssuerFault):
        check_address(f"http://{host}/keys", insecure_http=False)


def test_the_port_belongs_to_the_origin() -> None:
    assert same_origin("https://a.example/x", "https://A.example:443/y")
    assert not same_origin("https://a.example/x", "https://a.example:444/x")
    assert not same_origin("https://a.example/x", "http://a.example/x")
    assert not same_origin("https://a.example/x", "https://a.example.evil/x")


def test_keys_are_fetched_again_in_time_and_kept_for_a_bounded_time() -> None:
    state = Freshness(refresh=600, keep=3600, cooldown=15)
    assert (state.due(5), state.usable_for(5)) == (0, 0)
    state.succeeded(10)
    assert (state.due(110), state.usable_for(110)) == (500, 3500)
    assert state.usable_for(3610) == 0


def test_a_fetch_for_an_unknown_key_is_granted_once_in_a_cooldown() -> None:
    state = Freshness(refresh=600, keep=3600, cooldown=15)
    state.succeeded(0)
    assert state.grant_in(1) <= 0
    state.granted(1)
    state.succeeded(1)
    assert (state.grant_in(2), state.grant_in(16)) == (14, 0)


def test_keys_too_old_to_be_used_are_fetched_without_a_cooldown() -> None:
    state = Freshness(refresh=10, keep=20, cooldown=1000)
    state.succeeded(0)
    state.granted(1)
    assert state.grant_in(19) > 0
    assert state.grant_in(20) <= 0


def test_failures_are_retried_ever_more_slowly_and_a_success_ends_that() -> None:
    state = Freshness(refresh=600, keep=3600, cooldown=15)
    waits = []
    for _ in range(40):
        state.failed(0)
        waits.append(state.due(0))
        assert state.grant_in(0) == state.due(0)
    assert waits == [1, 2, 4, 8, *[15] * 36]
    state.succeeded(100)
    assert (state.failing, state.due(100)) == (False, 600)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["a", "b c"], ["a", "b c"]),
        ("a b  c", ["a", "b", "c"]),
        (["a", 1, None, ["x"], {"y": 1}], ["a"]),
        ({"a": 1}, []),
        (7, []),
        (None, []),
        (True, []),
        ("", []),
    ],
)
def test_words_stand_in_lists_or_texts(value: object, expected: list[str]) -> None:
    assert words_at({"realm_access": {"roles": value}}, ("realm_access", "roles")) == expected
    assert words_at({"realm_access": value}, ("realm_access", "roles")) == []


def test_a_name_with_dots_is_written_as_a_list() -> None:
    claims = {"https://shop.example/roles": ["admin"]}
    assert Words([["https://shop.example/roles"]], None).of(claims) == {"admin"}
    assert Words(["https://shop.example/roles"], None).of(claims) == set()


def test_only_words_of_the_table_count_where_there_is_one() -> None:
    words = Words(["groups"], {"Shop Admins": ["admin", "user"], "x": []}, ["guest"])
    assert words.of({"groups": ["Shop Admins", "admin", "root"]}) == {"admin", "user", "guest"}
    assert words.of({}) == {"guest"}
    assert Words(["groups"], {}).of({"groups": ["admin"]}) == set()


def test_a_word_that_is_several_or_all_counts_by_the_table_alone() -> None:
    claims = {"scope": ["orders:*", "*", "a b", "a,b", "a\n", "", "orders:read"]}
    assert Words(["scope"], None).of(claims) == {"orders:read"}
    assert Words(["scope"], {"*": ["orders:*"]}).of(claims) == {"orders:*"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["a", "b"]), _JSON), st.lists(st.sampled_from(["a", "b", "c"]), min_size=1))
def test_whatever_the_claims_hold_words_are_words(claims: dict[str, object], path: list[str]) -> None:
    found = Words([path], None).of(claims)
    assert all(word and not word.isspace() and "*" not in word and "," not in word for word in found)
