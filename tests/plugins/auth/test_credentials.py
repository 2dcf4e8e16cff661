"""What a request carries, and where a browser says that it came from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narthex import Deny
from narthex.asgi import Headers
from narthex_plugins.auth.credentials import (
    AMBIGUOUS,
    MALFORMED,
    Cookie,
    Reader,
    Token,
    without_token,
    without_token_field,
)

NAME = "__Host-narthex"
READER = Reader([NAME], ["https://www.shop.example"])
Field = tuple[bytes, bytes]


def headers(*fields: tuple[str, str]) -> Headers:
    return Headers([(name.encode(), value.encode("latin-1")) for name, value in fields])


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_bearer_token_is_found_whatever_the_case_of_its_scheme(scheme: str) -> None:
    assert READER.read(headers(("authorization", f"{scheme} a.b.c"))) == Token("a.b.c", "header")


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer a\tb", "Bearer =", "bearer é"]
)
def test_what_is_bearer_and_no_token_is_a_bad_request(value: str) -> None:
    assert READER.read(headers(("authorization", value))) == MALFORMED
    assert (MALFORMED.status, b"invalid_request" in MALFORMED.headers[0][1]) == (400, True)


@pytest.mark.parametrize("value", ["Basic YTpi", "Digest x", "", "Bearerx a"])
def test_another_scheme_is_another_identifiers(value: str) -> None:
    assert READER.read(headers(("authorization", value))) is None


def test_the_cookie_is_found_among_others() -> None:
    assert READER.read(headers(("cookie", f"a=1; {NAME}=secret; b=2"))) == Cookie("secret")
    assert READER.read(headers(("cookie", "a=1"), ("cookie", f"{NAME}=secret"))) == Cookie("secret")


def test_a_name_that_only_looks_like_it_is_not_it() -> None:
    assert READER.read(headers(("cookie", f"x{NAME}=secret; {NAME}x=1; __host-narthex=1"))) is None


@pytest.mark.parametrize(
    "fields",
    [
        [("authorization", "Bearer a"), ("cookie", f"{NAME}=b")],
        [("cookie", f"{NAME}=a; {NAME}=b")],
        [("cookie", f"{NAME}=a"), ("cookie", f"{NAME}=a")],
    ],
)
def test_several_credentials_are_refused(fields: list[tuple[str, str]]) -> None:
    assert READER.read(headers(*fields)) is AMBIGUOUS


def test_a_websocket_may_bring_its_token_as_a_subprotocol() -> None:
    assert READER.read(headers(), ["chat", "narthex.bearer.a.b.c"]) == Token("a.b.c", "websocket")
    assert READER.read(headers(), ["narthex.bearer.a", "narthex.bearer.b"]) is AMBIGUOUS
    assert READER.read(headers(("authorization", "Bearer a")), ["narthex.bearer.b"]) is AMBIGUOUS
    assert READER.read(headers(), ["chat"]) is None


@pytest.mark.parametrize(
    ("scheme", "host", "site", "origin", "own"),
    [
        ("https", "shop.example", None, "https://shop.example", True),
        ("https", "shop.example:443", None, "https://shop.example", True),
        ("https", "shop.example", "same-origin", None, True),
        ("http", "shop.example", None, "https://shop.example", True),  # TLS ends at a proxy
        ("https", "SHOP.example", None, "https://shop.EXAMPLE", True),
        ("https", "shop.example", None, "https://www.shop.example", True),  # named in the settings
        ("https", "shop.example", "same-site", "https://www.shop.example", True),
        ("https", "shop.example", None, None, False),
        ("https", "shop.example", None, "null", False),
        ("https", "shop.example", None, "", False),
        ("https", "shop.example", None, "https://evil.example", False),
        ("https", "shop.example", None, "https://shop.example.evil.example", False),
        ("https", "shop.example", None, "https://shop.example:8443", False),
        ("https", "shop.example", None, "http://shop.example", False),
        ("http", "shop.example", None, "http://shop.example", False),  # anybody's on the way
        ("https", "shop.example", None, "https://shop.example/x", False),
        ("https", "shop.example", None, "https://shop.example:x", False),
        ("https", "shop.example", "cross-site", None, False),
        ("https", "shop.example", "same-site", None, False),
        ("https", "shop.example", "none", None, False),
        ("https", "shop.example", "cross-site", "https://shop.example", False),
        ("http", "localhost:8000", None, "http://localhost:8000", True),
        ("http", "127.0.0.1:8000", None, "http://127.0.0.1:8000", True),
        ("http", "[::1]:8000", None, "http://[::1]:8000", True),
        ("http", "localhost:8000", None, "http://localhost:9000", False),
        ("ws", "localhost:8000", None, "http://localhost:8000", True),
    ],
)
def test_a_page_is_ours_where_the_browser_says_so(
    scheme: str, host: str, site: str | None, origin: str | None, own: bool
) -> None:
    fields = [("sec-fetch-site", site), ("origin", origin)]
    assert READER.is_own(headers(*((n, v) for n, v in fields if v is not None)), scheme, host) is own


def test_two_origins_are_none() -> None:
    twice = headers(("origin", "https://shop.example"), ("origin", "https://shop.example"))
    assert not READER.is_own(twice, "https", "shop.example")


cookies = st.text(st.sampled_from('ab=; "_-'), max_size=20)


@given(st.lists(cookies, max_size=4), st.text(st.sampled_from("abc123_-"), max_size=10))
def test_what_the_app_sees_holds_every_cookie_but_ours(others: list[str], value: str) -> None:
    ours = f"{NAME}={value}"
    raw: list[Field] = [(b"accept", b"*/*"), (b"cookie", "; ".join([*others, ours, *others]).encode())]
    kept = READER.without_cookie(raw)
    assert kept[0] == raw[0]
    left = b"".join(field for name, field in kept[1:])
    assert NAME.encode() not in left
    assert READER.read(Headers(kept)) is None
    for other in others:
        assert other.strip(" ;").encode() in left


@given(st.lists(st.text(st.sampled_from("abc.-"), min_size=1, max_size=8), max_size=3))
def test_what_the_app_sees_holds_every_subprotocol_but_ours(others: list[str]) -> None:
    offered = [*others, "narthex.bearer.a.b.c", *others]
    raw: list[Field] = [(b"sec-websocket-protocol", ", ".join(offered).encode())]
    assert without_token(offered) == others * 2
    left = b", ".join(field for _, field in without_token_field(raw)).decode()
    assert [one for one in left.split(", ") if one] == others * 2


@given(
    st.lists(st.tuples(st.sampled_from(["authorization", "cookie", "x"]), st.text(st.characters(max_codepoint=255))))
)
def test_nothing_that_a_client_sends_breaks_the_reader(fields: list[tuple[str, str]]) -> None:
    found = READER.read(headers(*fields))
    assert found is None or isinstance(found, Token | Cookie | Deny)
