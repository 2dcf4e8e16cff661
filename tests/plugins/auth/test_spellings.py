"""One token in many spellings, and what a late word of a change does not end."""

from narthex_plugins.auth.credentials import Cookie, Token
from narthex_plugins.auth.events import AccountPasswordChanged
from tests.plugins.auth.site import site


def test_a_token_known_by_a_websocket_is_no_token_in_a_scheme_of_its_own() -> None:
    with site() as house:
        house.add()
        token = house.login()["access_token"]
        house.client.websocket("/chat", (), (), subprotocols=["chat", f"narthex.bearer.{token}"])
        assert house.me(("authorization", f"wsBearer {token}")).status == 401


def test_one_token_in_many_spellings_takes_two_places_at_most() -> None:
    with site() as house:
        house.add()
        token = house.login()["access_token"]
        for spelt in ("Bearer ", "bearer ", "BEARER ", "bEARER ", "Bearer  ", "Bearer   "):
            assert house.me(("authorization", spelt + token)).status == 200
        assert len(house.plugin._tokens) == 2


def test_what_a_request_carries_is_not_in_a_repr() -> None:
    assert "secret" not in repr([Token("secret", "header"), Cookie("secret")])


def test_a_word_of_another_password_that_comes_late_ends_no_session_begun_since() -> None:
    with site() as house:
        subject, at = house.add(), house.clock.now()
        before = house.login()
        house.clock.advance(3)
        since = house.login()
        told = AccountPasswordChanged(instance="auth", version=9, at=at, subject=subject, name="alice")
        house.client.run(house.plugin._account_changed(told))
        assert house.post("refresh", refresh_token=before["refresh_token"]).status == 400
        assert house.post("refresh", refresh_token=since["refresh_token"]).status == 200
