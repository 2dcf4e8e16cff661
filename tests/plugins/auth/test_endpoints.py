"""The endpoints, called as clients call them."""

from typing import Any

import pytest

from narthex.errors import ConfigError
from narthex.services import Session, Sessions
from narthex.testing import Reply
from narthex_plugins.auth.events import LoggedIn, LoggedOut, LoginFailed
from narthex_plugins.auth.refusals import TokenCode
from narthex_plugins.auth.tokens import sign
from tests.plugins.auth.site import ISSUER, PASSWORD, Site, bearer, site

LOGIN = "/_narthex/auth/login"
FORM = ("content-type", "application/x-www-form-urlencoded")


def form(house: Site, endpoint: str, body: str, *headers: tuple[str, str]) -> Reply:
    return house.client.post(f"/_narthex/auth/{endpoint}", [FORM, *headers], body.encode())


def test_login_gives_what_rfc_6749_says_and_nobody_keeps_it() -> None:
    with site() as house:
        subject = house.add("alice", "user")
        reply = house.post("login", username="alice", password=PASSWORD)
        assert reply.json().keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
        assert (reply.json()["token_type"], reply.json()["expires_in"]) == ("Bearer", 900)
        assert reply.headers["cache-control"] == "no-store"
        assert [(event.subject, event.client) for event in house.events(LoggedIn)] == [(subject, "127.0.0.1")]


def test_an_oauth_form_does_as_well() -> None:
    with site() as house:
        house.add()
        body = f"grant_type=password&username=alice&password={PASSWORD.replace(' ', '+')}"
        tokens = form(house, "login", body).json()
        refreshed = form(house, "refresh", f"grant_type=refresh_token&refresh_token={tokens['refresh_token']}")
        assert refreshed.json()["access_token"] != tokens["access_token"]


def test_the_access_token_says_what_rfc_9068_asks_for() -> None:
    with site() as house:
        subject = house.add("alice", "user")
        claims = introspected(house, house.login()["access_token"])
        now = int(house.clock.now())
        assert {"iss": ISSUER, "sub": subject, "aud": "shop", "iat": now, "exp": now + 900}.items() <= claims.items()
        assert {"jti", "client_id", "sid", "auth_time"} <= claims.keys()
        assert (claims["roles"], claims["amr"], claims["active"]) == (["user"], ["pwd"], True)


def introspected(house: Site, token: str) -> dict[str, Any]:
    """As somebody may who has the permission; admins have every one."""
    house.add("root", "admin")
    admin = house.login("root")["access_token"]
    reply = house.post("introspect", [bearer(admin)], token=token)
    assert reply.status == 200
    told: dict[str, Any] = reply.json()
    return told


@pytest.mark.parametrize(("name", "password"), [("alice", "wrong"), ("nobody", PASSWORD), ("alice", "x" * 5000)])
def test_a_login_that_fails_says_the_same_whatever_was_wrong(name: str, password: str) -> None:
    with site() as house:
        house.add()
        reply = house.post("login", username=name, password=password)
        told = reply.json()
        del told["incident"]
        assert reply.status == 400
        assert told == {"error": "invalid_grant", "error_description": "the name or the password is wrong"}
        assert [event.name for event in house.events(LoginFailed)] == [name]


def test_who_guesses_has_to_wait() -> None:
    with site() as house:
        house.add()
        replies = [house.post("login", username="alice", password="wrong") for _ in range(6)]
        assert [reply.status for reply in replies][-1] == 429
        assert int(replies[-1].headers["retry-after"]) >= 1
        assert replies[-1].json()["error"] == "too_many_attempts"
        assert house.events(LoginFailed)[-1].wait > 0


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ([("content-type", "application/json")], b"{", 400),
        ([("content-type", "application/json")], b'{"username":"a","username":"b","password":"c"}', 400),
        ([("content-type", "application/json")], b'{"username":["a"],"password":"c"}', 400),
        ([("content-type", "application/json")], b'{"username":"\\ud800","password":"c"}', 400),
        ([("content-type", "application/json")], b"[]", 400),
        ([("content-type", "application/json")], b" " * 70_000, 413),
        ([("content-type", "text/plain")], b"{}", 415),
        ([], b"{}", 415),
        ([FORM], b"username=a&username=b&password=c", 400),
        ([FORM], b"username=%ff&password=c", 400),
        ([FORM], b"\xff", 400),
        ([FORM], b"a=1&" * 100, 400),
        ([FORM], b"grant_type=client_credentials", 400),
        ([FORM], b"username=a", 400),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_and_reaches_nothing(
    headers: list[tuple[str, str]], body: bytes, status: int
) -> None:
    with site() as house:
        reply = house.client.post(LOGIN, headers, body)
        assert (reply.status, reply.headers["cache-control"]) == (status, "no-store")
        assert reply.json()["error"] in {"invalid_request", "unsupported_grant_type"}
        assert house.events(LoginFailed) == []


@pytest.mark.parametrize("endpoint", ["login", "refresh", "logout", "revoke"])
def test_only_post_changes_anything(endpoint: str) -> None:
    with site() as house:
        reply = house.client.get(f"/_narthex/auth/{endpoint}?username=alice&password=x")
        assert (reply.status, reply.headers["allow"]) == (405, "POST")


def test_me_needs_an_identity_and_challenges_for_one() -> None:
    with site() as house:
        reply = house.me()
        assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")


def test_logout_ends_the_session_and_says_until_when_the_token_lives() -> None:
    with site() as house:
        house.add()
        tokens = house.login()
        reply = house.post("logout", [bearer(tokens["access_token"])])
        assert reply.json() == {"logged_out": True, "access_token_good_until": int(house.clock.now()) + 900}
        assert house.post("refresh", refresh_token=tokens["refresh_token"]).status == 400
        assert len(house.events(LoggedOut)) == 1
        assert house.me(bearer(tokens["access_token"])).status == 200  # until the plugin revocation refuses it


def test_logout_by_the_refresh_token_alone() -> None:
    with site() as house:
        house.add()
        token = house.login()["refresh_token"]
        assert house.post("logout", refresh_token=token).status == 200
        assert house.post("refresh", refresh_token=token).status == 400
        assert house.client.post("/_narthex/auth/logout").status == 400


def test_a_password_is_changed_by_who_knows_it_and_every_session_is_over() -> None:
    with site() as house:
        house.add()
        tokens = house.login()
        change = {"current_password": PASSWORD, "new_password": "another horse, another battery"}
        wrong = house.post("password", [bearer(tokens["access_token"])], **{**change, "current_password": "x"})
        assert (wrong.status, wrong.json()["error"]) == (400, "invalid_grant")
        done = house.post("password", [bearer(tokens["access_token"])], **change)
        assert done.json() == {"changed": True, "sessions_ended": 1}
        assert house.post("refresh", refresh_token=tokens["refresh_token"]).status == 400
        assert house.post("login", username="alice", password=change["new_password"]).status == 200


def test_revoke_takes_refresh_tokens_and_says_what_it_cannot_do() -> None:
    with site() as house:
        house.add()
        tokens = house.login()
        refused = form(house, "revoke", f"token={tokens['access_token']}&token_type_hint=access_token")
        assert (refused.status, refused.json()["error"]) == (400, "unsupported_token_type")
        assert form(house, "revoke", f"token={tokens['refresh_token']}").status == 200
        assert house.post("refresh", refresh_token=tokens["refresh_token"]).status == 400
        assert form(house, "revoke", "token=nonsense").status == 200


def test_introspection_needs_its_permission() -> None:
    with site() as house:
        house.add("alice", "user")
        token = house.login()["access_token"]
        assert house.post("introspect", token=token).status == 401
        assert house.post("introspect", [bearer(token)], token=token).status == 403


def test_introspection_of_what_is_not_good_says_nothing_more() -> None:
    with site() as house:
        house.add()
        tokens = house.login()
        assert introspected(house, "nonsense") == {"active": False}
    with site() as house:
        house.add()
        tokens = house.login()
        house.post("logout", [bearer(tokens["access_token"])])
        assert introspected(house, tokens["access_token"]) == {"active": False}


def test_introspection_of_a_refresh_token() -> None:
    with site() as house:
        subject = house.add()
        told = introspected(house, house.login()["refresh_token"])
        assert (told["active"], told["token_type"], told["sub"]) == (True, "refresh_token", subject)


@pytest.mark.parametrize(
    ("claims", "typ", "code"),
    [
        ({"exp": 1}, "at+jwt", TokenCode.EXPIRED),
        ({"iss": "https://evil.example"}, "at+jwt", TokenCode.ISSUER),
        ({"aud": "another"}, "at+jwt", TokenCode.AUDIENCE),
        ({}, "JWT", TokenCode.TYPE),
    ],
)
def test_a_token_that_is_not_good_is_refused_with_its_code(claims: dict[str, object], typ: str, code: str) -> None:
    with site() as house:
        now = house.clock.now()
        good = {"iss": ISSUER, "aud": "shop", "sub": "alice", "jti": "1", "iat": now, "exp": now + 60}
        token = sign({**good, **claims}, house.plugin._keys.signing().signer, typ)
        reply = house.me(bearer(token))
        assert (reply.status, reply.json()["code"]) == (401, code)
        assert reply.headers["www-authenticate"] == f'Bearer error="invalid_token", error_description="{code}"'


def test_a_token_is_refused_from_the_second_of_its_end_on_also_when_it_was_known() -> None:
    with site(leeway="0s") as house:
        house.add()
        token = house.login()["access_token"]
        house.clock.advance(899)
        assert house.me(bearer(token)).status == 200
        house.clock.advance(1)
        assert (house.me(bearer(token)).status, len(house.plugin._tokens)) == (401, 0)


def test_what_was_verified_is_remembered_up_to_the_bound() -> None:
    with site(verified=3) as house:
        house.add()
        tokens = [house.login()["access_token"] for _ in range(5)]
        assert [house.me(bearer(token)).status for token in tokens] == [200] * 5
        assert len(house.plugin._tokens) == 3


def test_the_sessions_of_a_subject_are_listed_and_ended() -> None:
    with site() as house:
        subject = house.add()
        house.login()
        tokens = house.login()
        service = house.plugin._house.service(Sessions)  # type: ignore[type-abstract]
        assert service is not None

        async def look() -> list[Session]:
            return list(await service.list(subject))

        async def end() -> int:
            return await service.end_all(subject, "test")

        assert [one.ended for one in house.client.run(look())] == [None, None]
        assert house.client.run(end()) == 2
        assert {one.reason for one in house.client.run(look())} == {"test"}
        assert house.post("refresh", refresh_token=tokens["refresh_token"]).status == 400


def test_last_seen_is_written_once_a_minute() -> None:
    with site() as house:
        house.add()
        token = house.login()["access_token"]
        began = house.clock.now()
        seen: list[float] = []
        for later in (30, 29, 1, 30, 31):
            house.clock.advance(later)
            house.me(bearer(token))
            rows = house.write(lambda c: c.exec_driver_sql("SELECT last_seen FROM auth_sessions").scalars().all())
            seen.append(rows[0] - began)
        assert seen == [0, 0, 60, 60, 121]


@pytest.mark.parametrize("wrong", [{"access_lifetime": "2d"}, {"session_idle": "1m"}, {"issuer": ""}])
def test_lifetimes_that_cannot_be_are_refused_in_the_file(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))), site(**wrong):
        pass


def test_what_is_over_is_swept_away() -> None:
    with site(session_lifetime="1h", session_history="1h") as house:
        house.add()
        house.post("refresh", refresh_token=house.login()["refresh_token"])
        house.post("logout", [bearer(house.login()["access_token"])])
        house.clock.advance(7200)
        house.write(house.plugin._sweep_page)
        for table in ("auth_sessions", "auth_refresh_tokens", "auth_ended"):
            assert house.write(lambda c, t=table: c.exec_driver_sql(f"SELECT * FROM {t}").fetchall()) == []  # type: ignore[misc]  # noqa: S608


@pytest.mark.parametrize(
    "body", [b"\xff", b"{", b'{"username": ' + b"1" * 5000 + b"}", b'{"username": "\\ud800"}', b"[" * 50]
)
def test_what_a_decoder_says_of_a_body_is_not_for_callers(body: bytes) -> None:
    with site() as house:
        reply = house.client.post(LOGIN, [("content-type", "application/json")], body)
    said = "the body is not a JSON object, or not one with a single meaning"
    assert (reply.status, reply.json()["error_description"]) == (400, said)


@pytest.mark.parametrize("agent", ["\0browser", "\x1b[2Jbrowser"])
def test_whatever_a_client_calls_itself_its_session_is_kept(store_url: str, agent: str) -> None:
    with site(store_url) as house:
        subject = house.add()
        reply = house.client.post(LOGIN, [("user-agent", agent)], json={"username": "alice", "password": PASSWORD})
        [session] = house.client.run(house.plugin._sessions.list(subject))
    assert reply.status == 200
    assert session.agent == "\ufffd" + agent[1:]
