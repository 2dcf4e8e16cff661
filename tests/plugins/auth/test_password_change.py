"""Users change their own password."""

import asyncio

import pytest

from narthex.testing import Reply
from narthex_plugins.auth.events import AccountPasswordChanged
from tests.plugins.auth.site import HERE, PASSWORD, Site, bearer, site

NEW = "tiefblau und leise"


def change(house: Site, token: str, current: str = PASSWORD, new: str = NEW) -> Reply:
    return house.post("password", [bearer(token)], current_password=current, new_password=new)


def login(house: Site, password: str) -> Reply:
    return house.post("login", username="alice", password=password)


def test_the_new_password_holds_and_every_session_is_over() -> None:
    with site() as house:
        house.add()
        other, mine = house.login(), house.login()
        reply = change(house, mine["access_token"])
        assert (reply.status, reply.json()) == (200, {"changed": True, "sessions_ended": 2})
        assert reply.headers["cache-control"] == "no-store"
        for tokens in (other, mine):
            assert house.post("refresh", refresh_token=tokens["refresh_token"]).status == 400
        assert login(house, PASSWORD).status == 400
        assert login(house, NEW).status == 200


def test_a_drawn_password_that_would_run_out_becomes_one_that_does_not() -> None:
    with site() as house:
        house.add()
        until = house.clock.now() + 60
        hashed = house.client.run(house.plugin._passwords.hash(PASSWORD))
        house.change("alice", lambda accounts, *rest: accounts.set_password(*rest[:2], hashed, rest[2], until))
        assert change(house, house.login()["access_token"]).status == 200
        house.clock.advance(61)
        assert login(house, NEW).status == 200


def test_a_stolen_session_is_not_enough_and_guessing_is_slowed_down() -> None:
    with site() as house:
        house.add()
        token = house.login()["access_token"]
        replies = [change(house, token, current=f"guess number {number}") for number in range(3)]
        assert [(reply.status, reply.json()["error"]) for reply in replies] == [(400, "invalid_grant")] * 3
        waiting = change(house, token)
        assert (waiting.status, waiting.headers["retry-after"]) == (429, "1")
        assert login(house, NEW).status == 429


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("short", "at least 8"),
        ("password1", "tried first"),
        ("alice.1865", "beside the user's"),
        (PASSWORD, "there was"),
    ],
)
def test_a_new_password_that_may_not_be_one_is_refused_with_the_reason(new: str, why: str) -> None:
    with site() as house:
        house.add()
        reply = change(house, house.login()["access_token"], new=new)
        assert (reply.status, reply.json()["error"]) == (400, "password_refused")
        assert why in reply.json()["error_description"]
        assert login(house, PASSWORD).status == 200


def test_nobody_changes_a_password_without_being_logged_in_or_from_another_site() -> None:
    with site() as house:
        house.add()
        fields: dict[str, object] = {"current_password": PASSWORD, "new_password": NEW}
        assert house.post("password", [], **fields).status == 401
        cookie = ("cookie", house.cookie())
        elsewhere = (HERE[0], ("origin", "https://evil.example"))
        assert house.post("password", [cookie, *elsewhere], **fields).status in (401, 403)
        assert house.post("password", [cookie, *HERE], **fields).status == 200


def test_of_two_changes_at_once_one_holds() -> None:
    async def both(house: Site, subject: str) -> list[object]:
        change = house.plugin._password_endpoint._passwords.change
        return list(await asyncio.gather(*(change(subject, PASSWORD, f"{NEW} {one}", "192.0.2.1") for one in "ab")))

    with site() as house:
        subject = house.add()
        done = house.client.run(both(house, subject))
        assert sorted(type(one).__name__ for one in done) == ["Changed", "Refused"]


def test_a_missing_field_is_named() -> None:
    with site() as house:
        house.add()
        token = house.login()["access_token"]
        assert house.post("password", [bearer(token)], new_password=NEW).status == 400


def test_the_change_is_told_to_plugins() -> None:
    with site() as house:
        subject = house.add()
        change(house, house.login()["access_token"])
        house.client.run(house.plugin._changes.look())
        assert [event.subject for event in house.events(AccountPasswordChanged)] == [subject]
