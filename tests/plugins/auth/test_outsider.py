"""What somebody tries who has a list of tricks and no account: nothing is given, and nothing breaks."""

import json
from collections.abc import Iterator

import pytest

from tests.plugins.auth.site import HERE, PASSWORD, Site, bearer, site

JSON = ("content-type", "application/json")
FORM = ("content-type", "application/x-www-form-urlencoded")
FREE = {"per_pair": 1_000_000, "per_account": 1_000_000, "per_address": 1_000_000}
RIGHT = f"username=alice&password={PASSWORD.replace(' ', '+')}".encode()


@pytest.fixture(scope="module")
def house() -> Iterator[Site]:
    with site(throttle=FREE) as running:
        running.add()
        yield running


def login(house: Site, username: object, password: object) -> int | None:
    body = json.dumps({"username": username, "password": password}).encode()
    return house.client.post("/_narthex/auth/login", [JSON], body).status


@pytest.mark.parametrize(
    "name",
    [
        "alice\0", "\0", "alice ", " alice", "alice\u200b", "alice\n", "al\u0131ce", "\u0430lice", "alice\u0301",
        "\u202ealice", "alice'--", "../alice", "%61lice", "${jndi:ldap://x}",
        "a" * 200, "a" * 60_000, "\ud800", "İ", "👩\u200d👧",
        True, None, 7, ["alice"], {"$ne": None},
    ],
)  # fmt: skip
def test_a_name_that_looks_like_another_is_not_it(house: Site, name: object) -> None:
    assert login(house, name, PASSWORD) == 400


@pytest.mark.parametrize(
    "password",
    [
        f"{PASSWORD}\0", f"{PASSWORD}\0x", f"{PASSWORD} ", f" {PASSWORD}", PASSWORD.upper(), PASSWORD[:-1], "", "\0",
        "x" * 257, "x" * 60_000, "💥" * 256, "\ud800", True, None, 1e300, [PASSWORD], {"$ne": None},
    ],
)  # fmt: skip
def test_a_password_that_is_nearly_right_is_wrong(house: Site, password: object) -> None:
    assert login(house, "alice", password) == 400


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b"{", b"\xff", b'\xef\xbb\xbf{"username":"alice"}',
        b'{"username":"alice","username":"alice","password":"correct horse battery"}',
        json.dumps({"username": "alice", "password": PASSWORD}).encode("utf-16"),
        b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"username":"alice","password":' + b"9" * 6000 + b"}",
        b'{"username":"alice","password":1e999}', b'{"username":"alice","password":NaN}', b" " * 70_000,
    ],
    ids=lambda body: repr(body[:24]),
)  # fmt: skip
def test_a_body_with_no_one_meaning_is_refused(house: Site, body: bytes) -> None:
    assert house.client.post("/_narthex/auth/login", [JSON], body).status in (400, 413)


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/xml", "", "a, b"])
def test_a_page_of_another_site_cannot_send_what_is_read_without_being_asked_first(house: Site, kind: str) -> None:
    body = json.dumps({"username": "alice", "password": PASSWORD}).encode()
    assert house.client.post("/_narthex/auth/login", [("content-type", kind)], body).status == 415


@pytest.mark.parametrize(
    "page",
    [
        [], [("origin", "null")], [("origin", "https://evil.example")], [("origin", "https://shop.example.evil.example")],
        [("origin", "https://shop.example@evil.example")], [("origin", "http://shop.example")],
        [("origin", "https://shop.example:444")], [("origin", "https://shop.example"), ("origin", "https://evil.example")],
        [("origin", "https://shop.example"), ("sec-fetch-site", "cross-site")], [("sec-fetch-site", "same-site")],
        [("sec-fetch-site", "none")], [("referer", "https://shop.example/")],
    ],
)  # fmt: skip
def test_no_other_page_logs_a_browser_in(house: Site, page: list[tuple[str, str]]) -> None:
    reply = house.client.post("/_narthex/auth/login", [FORM, HERE[0], *page], RIGHT + b"&cookie=true")
    assert (reply.status, "set-cookie" in reply.headers) == (403, False)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "post", "POST ", "CONNECT"])
def test_no_other_method_is_taken_for_post(house: Site, method: str) -> None:
    for name in ("x-http-method-override", "x-method-override", "x-http-method"):
        reply = house.client.request(method, "/_narthex/auth/login", [FORM, (name, "POST")], RIGHT + b"&_method=POST")
        assert (reply.status, reply.headers["allow"]) == (405, "POST")


def test_a_credential_counts_in_its_own_place_only(house: Site) -> None:
    tokens, cookie = house.login(), house.cookie()
    token, (name, _, value) = tokens["access_token"], cookie.partition("=")
    asked = {
        (("authorization", f"Bearer {value}"),): 401,
        (("authorization", f"Bearer {tokens['refresh_token']}"),): 401,
        (("authorization", f"Bearer {token}="),): 401,
        (("authorization", f"Bearer {token}, Bearer {token}"),): 400,
        (("authorization", f"Bearer {token}\0"),): 400,
        (("authorization", f"Bearer\t{token}"),): 401,
        (("proxy-authorization", f"Bearer {token}"), ("x-forwarded-authorization", f"Bearer {token}")): 401,
        (("x-narthex-subject", "alice"), ("x_narthex_subject", "alice"), ("remote-user", "alice")): 401,
        (("cookie", f"{name}={token}"),): 401,
        (("cookie", f'{name}="{value}"'),): 401,
        (("cookie", f"{name.upper()}={value}"),): 401,
        (("cookie", f"{name.removeprefix('__Host-')}={value}"),): 401,
        (("cookie", f"{cookie}; {cookie}"),): 400,
        (("cookie", cookie), ("cookie", cookie)): 400,
        (bearer(token), ("cookie", cookie)): 400,
        (bearer(token), bearer(token)): 400,
        (bearer(token),): 200,
        (("cookie", f"a=b; {cookie}"),): 200,
    }
    for headers, status in asked.items():
        assert house.me(*headers).status == status, headers
    for query in (f"access_token={token}", f"token={token}", f"authorization=Bearer%20{token}"):
        assert house.client.get(f"/_narthex/auth/me?{query}").status == 401


@pytest.mark.parametrize("before", ["\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\xa0", "\0", "$", "="])
def test_what_a_neighbour_can_write_before_the_name_of_a_cookie_is_part_of_it(house: Site, before: str) -> None:
    cookie = house.cookie()
    assert house.me(("cookie", before + cookie)).status == 401
    assert house.me(("cookie", f"{before}{cookie}; {cookie}")).status == 200


def test_an_address_that_a_client_makes_up_is_not_its_own() -> None:
    with site() as house:
        house.add()
        for number in range(12):
            address = f"198.51.100.{number}"
            made_up = [
                ("x-forwarded-for", f"{address}, {address}"),
                ("forwarded", f"for={address}"),
                *((name, address) for name in ("x-real-ip", "x-client-ip", "cf-connecting-ip", "true-client-ip")),
            ]
            reply = house.post("login", made_up, username="alice", password=f"guess {number}")
        assert (reply.status, "retry-after" in reply.headers) == (429, True)
