"""Another plugin's users: login, refresh and cookie ask it, and what it says now holds."""

from collections.abc import Iterator

import pytest

from narthex.testing import Client
from tests.plugins.auth.own_users import Team
from tests.plugins.auth.site import HERE, KEY, bearer, settings


@pytest.fixture
def client() -> Iterator[Client]:
    team = {"use": "tests.plugins.auth.own_users:Team"}
    auth = {"use": "narthex_plugins.auth:Auth", **settings()}
    own = {"store": "memory", "secret_key": KEY}
    with Client(None, {"narthex": own, "plugins": {"team": team, "auth": auth}}) as running:
        yield running


def team(client: Client) -> Team:
    found = client.house.guests[0].plugin
    assert isinstance(found, Team)
    return found


def login(client: Client, **more: object) -> dict[str, str]:
    body = {"username": "ada", "password": "lovelace", **more}
    reply = client.post("/_narthex/auth/login", HERE, json=body)
    assert reply.status == 200, reply.body
    return {**reply.json(), "cookie": reply.headers.get("set-cookie", "").partition(";")[0]}


def test_a_team_has_its_own_users(client: Client) -> None:
    tokens = login(client)
    me = client.get("/_narthex/auth/me", [bearer(tokens["access_token"])]).json()
    assert (me["subject"], me["roles"]) == ("7", ["engineer"])
    assert client.post("/_narthex/auth/login", json={"username": "ada", "password": "x"}).status == 400


def test_who_was_disabled_there_comes_in_no_more(client: Client) -> None:
    tokens = login(client)
    cookie = login(client, cookie=True)["cookie"]
    team(client).disabled = True
    assert client.post("/_narthex/auth/refresh", json={"refresh_token": tokens["refresh_token"]}).status == 400
    assert client.get("/", [("cookie", cookie)]).status == 401
    team(client).disabled = False
    again = client.post("/_narthex/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert again.status == 400  # its session was ended


def test_their_passwords_are_changed_there(client: Client) -> None:
    token = login(client)["access_token"]
    body = {"current_password": "lovelace", "new_password": "another horse, another battery"}
    assert client.post("/_narthex/auth/password", [bearer(token)], json=body).status == 400
