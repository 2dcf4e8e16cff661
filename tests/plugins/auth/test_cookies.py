"""Cookie sessions, one process and several."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import Connection

from narthex.errors import DependencyError
from narthex.testing import FixedClock, Hello
from narthex_plugins.auth.events import AccountRolesChanged, SessionEnded
from tests.plugins.auth.site import HERE, PASSWORD, Site, bearer, site


def get(house: Site, cookie: str, path: str = "/somewhere") -> int | None:
    async def written() -> None:
        await house.plugin._store.write(lambda _connection: None)  # what was posted before it is written by then

    status = house.client.get(path, [("cookie", cookie)]).status
    house.client.run(written())
    return status


def end_all(house: Site, subject: str) -> None:
    house.client.run(house.plugin._sessions.end_all(subject, "test"))


def test_the_cookie_is_secure_for_this_host_alone_and_out_of_reach_of_scripts() -> None:
    with site() as house:
        house.add()
        reply = house.post("login", HERE, username="alice", password=PASSWORD, cookie=True)
        field = reply.headers["set-cookie"]
        value = field.partition("=")[2].partition(";")[0]
        assert field == f"__Host-narthex={value}; Max-Age=86400; Path=/; Secure; HttpOnly; SameSite=Lax"
        assert len(value) == 43
        assert "token" not in reply.body.decode()


def test_a_cookie_is_not_given_to_another_sites_page() -> None:
    with site() as house:
        house.add()
        for origin in ("https://evil.example", "null"):
            there = [("host", "shop.example"), ("origin", origin)]
            reply = house.post("login", there, username="alice", password=PASSWORD, cookie=True)
            assert (reply.status, "set-cookie" in reply.headers) == (403, False)
        assert house.post("login", username="alice", password=PASSWORD, cookie=True).status == 403


def test_plain_http_gets_a_cookie_on_loopback_only_and_only_where_the_file_says_so() -> None:
    local = [("host", "localhost:8000"), ("origin", "http://localhost:8000")]
    with site() as house:
        house.add()
        reply = house.post("login", local, username="alice", password=PASSWORD, cookie=True)
        assert reply.headers["set-cookie"].startswith("__Host-narthex=")
    with site(insecure_cookies=True) as house:
        house.add()
        reply = house.post("login", local, username="alice", password=PASSWORD, cookie=True)
        assert reply.headers["set-cookie"].startswith("narthex-insecure=")
        assert "Secure" not in reply.headers["set-cookie"]
        assert get(house, reply.headers["set-cookie"].partition(";")[0]) == 200
        assert house.cookie().startswith("__Host-narthex=")


def test_the_cookie_says_who_it_is_and_the_app_does_not_see_it() -> None:
    app = Hello()
    with site(app=app) as house:
        subject = house.add("alice", "user")
        cookie = house.cookie()
        me = house.me(("cookie", cookie)).json()
        assert (me["subject"], me["roles"], me["via"]) == (subject, ["user"], "cookie")
        house.client.get("/orders", [("cookie", f"theme=dark; {cookie}"), ("accept", "*/*")])
        assert app.scopes[-1]["headers"] == [(b"cookie", b"theme=dark"), (b"accept", b"*/*")]
        assert app.scopes[-1]["narthex.identity"].subject == subject
        house.client.get("/orders", [("cookie", cookie)])
        assert app.scopes[-1]["headers"] == []


def test_a_bad_cookie_is_hidden_from_the_app_too() -> None:
    app = Hello()
    with site(app=app) as house:
        reply = house.client.get("/", [("cookie", "__Host-narthex=nonsense")])
        assert (reply.status, app.reached) == (401, False)
        assert reply.headers["set-cookie"].startswith("__Host-narthex=; Max-Age=0;")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
def test_what_changes_something_needs_the_browsers_word_that_the_page_is_ours(method: str) -> None:
    with site() as house:
        house.add()
        cookie = ("cookie", house.cookie())
        for more in ([], [("host", "shop.example"), ("origin", "https://evil.example")], [("sec-fetch-site", "none")]):
            reply = house.client.request(method, "/orders", [cookie, *more])
            assert (reply.status, reply.json()["code"]) == (403, "origin_refused")
        assert house.client.request(method, "/orders", [cookie, *HERE]).status == 200
        assert house.client.request(method, "/orders", [cookie, ("sec-fetch-site", "same-origin")]).status == 200


def test_cookie_and_token_together_are_refused() -> None:
    with site() as house:
        house.add()
        token = house.login()["access_token"]
        reply = house.me(("cookie", house.cookie()), bearer(token))
        assert (reply.status, reply.json()["code"]) == (400, "credentials_ambiguous")


def test_logout_ends_it_and_has_the_browser_forget_it() -> None:
    with site() as house:
        house.add()
        cookie = house.cookie()
        reply = house.post("logout", [("cookie", cookie), *HERE])
        assert reply.json() == {"logged_out": True, "access_token_good_until": None}
        assert reply.headers["set-cookie"].startswith("__Host-narthex=; Max-Age=0;")
        assert get(house, cookie) == 401


def test_a_new_login_ends_the_session_whose_cookie_it_replaces() -> None:
    with site() as house:
        house.add()
        old = house.cookie()
        house.post("login", [("cookie", old), *HERE], username="alice", password=PASSWORD, cookie=True)
        assert get(house, old) == 401


def test_a_session_of_one_process_is_good_in_every_process_and_over_in_every_process(store_url: str) -> None:
    clock = FixedClock()
    with site(store_url, clock=clock) as one, site(store_url, clock=clock) as other:
        subject = one.add()
        cookie = one.cookie()
        assert [get(one, cookie), get(other, cookie), get(other, cookie)] == [200, 200, 200]
        end_all(one, subject)
        assert get(one, cookie) == 401
        other.client.wait_until(lambda: other.events(SessionEnded))
        assert get(other, cookie) == 401


def test_on_one_host_not_one_request_more_is_answered(tmp_path: object) -> None:
    url, clock = f"sqlite:///{tmp_path}/narthex.db", FixedClock()
    with site(url, clock=clock) as one, site(url, clock=clock) as other:
        subject = one.add()
        for _ in range(20):
            cookie = one.cookie()
            assert get(other, cookie) == 200
            end_all(one, subject)
            assert get(other, cookie) == 401


def test_a_known_cookie_costs_no_look_at_the_store_until_something_ends() -> None:
    with site() as house:
        subject = house.add()
        kept, ended = house.cookie(), house.cookie()
        assert get(house, kept) == 200
        reads: list[object] = []
        read = house.plugin._store.read

        def counted(job: Callable[[Connection], object]) -> Awaitable[object]:
            reads.append(job)
            return read(job)

        house.plugin._store.read = counted  # type: ignore[method-assign,assignment]
        assert [get(house, kept) for _ in range(3)] == [200] * 3
        assert (reads, subject != "") == ([], True)
        house.post("logout", [("cookie", ended), *HERE])
        assert get(house, kept) == 200
        assert reads


def test_roles_of_a_cookies_owner_are_those_of_now() -> None:
    with site() as house:
        house.add("alice", "user")
        cookie = ("cookie", house.cookie())
        assert house.me(cookie).json()["roles"] == ["user"]
        house.change("alice", lambda rows, c, alice, now: rows.set_roles(c, alice, ["engineer"], now))
        house.client.wait_until(lambda: house.events(AccountRolesChanged))
        assert house.me(cookie).json()["roles"] == ["engineer"]


@pytest.mark.parametrize("change", ["disabled", "password"])
def test_a_disabled_account_and_another_password_end_every_session(change: str) -> None:
    with site() as house:
        house.add()
        cookie, tokens = house.cookie(), house.login()
        if change == "disabled":
            house.change("alice", lambda rows, c, alice, now: rows.set_disabled(c, alice, True, now))
        else:
            house.change("alice", lambda rows, c, alice, now: rows.set_password(c, alice, "x", now))
        house.client.wait_until(lambda: len(house.events(SessionEnded)) == 2)
        assert get(house, cookie) == 401
        assert house.post("refresh", refresh_token=tokens["refresh_token"]).status == 400


def test_a_session_is_over_at_its_end_and_after_idle_time() -> None:
    with site(session_lifetime="1h", session_idle="10m") as house:
        house.add()
        cookie = house.cookie()
        for _ in range(7):
            house.clock.advance(500)
            assert get(house, cookie) == 200
        house.clock.advance(99)
        assert get(house, cookie) == 200
        house.clock.advance(1)
        assert get(house, cookie) == 401
        cookie = house.cookie()
        house.clock.advance(600)
        assert get(house, cookie) == 401


def test_what_cannot_be_looked_up_is_not_believed() -> None:
    with site() as house:
        house.add()
        cookie = house.cookie()
        assert get(house, cookie) == 200

        async def fails(job: object) -> object:
            raise DependencyError("the store could not be read", retry_after=1)

        house.plugin._store.read = fails  # type: ignore[method-assign,assignment]
        assert get(house, cookie) == 200
        house.clock.advance(31)  # what is known is older than it may be
        assert get(house, cookie) == 503
