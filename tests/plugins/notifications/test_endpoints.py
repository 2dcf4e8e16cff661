"""What admins see and do: JSON, the page, forms; what others may not."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest

from narthex import Exchange, House, Settings, hookimpl
from narthex.events import AlertFired, Event
from narthex.testing import Client
from narthex_plugins.notifications import notify
from tests.plugins.notifications.site import Admin

PATH = "/_narthex/notifications"
FORM = ("content-type", "application/x-www-form-urlencoded")
SAME = ("sec-fetch-site", "same-origin")
HTML = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(Event):
    topic: ClassVar[str] = "shop.changed"
    told_by: ClassVar[tuple[str, ...]] = ("version",)
    version: int
    name: str
    kind: str = "one"


class BusSettings(Settings):
    """Nothing to set."""


class Bus:
    """Publishes what a request names."""

    name = "bus"
    Settings = BusSettings

    def __init__(self, settings: BusSettings, house: House) -> None:
        self._house = house

    @hookimpl
    def observe(self, exchange: Exchange) -> None:
        if exchange.route_path.startswith("/changed/"):
            _, _, version, kind = exchange.route_path.split("/")
            self._house.events.publish(Changed(version=int(version), name="<b>", kind=kind))
        if exchange.route_path == "/alert":
            told = {"key": "k1", "name": "Full", "severity": "page", "summary": "It is full.", "runbook": ""}
            self._house.events.publish(AlertFired(**told, value=2.0, above=1.0))


RULES = [
    {"event": "narthex.alert.*", "channel": "lines", "where": {"severity": "page"}},
    {"event": "shop.>", "channel": "lines", "where": {"kind": "told"}},
    {"event": "shop.changed", "channel": "slow", "where": {"kind": "seldom"}, "every": "1h"},
]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    slow = {"slow": {"concurrency": 1, "rate": 0.0001, "burst": 1}, "lines": {}}
    table = {"log": slow, "rules": RULES, "poll": "50ms"}
    seats = {"who": {"use": f"{Admin.__module__}:Admin"}, "bus": {"use": f"{__name__}:Bus"}}
    with Client(config={"narthex": {"store": "memory"}, "plugins": {**seats, "notifications": table}}) as made:
        made.run(notify("slow", "message", {"subject": "first", "text": ""}))
        until(made, "slow", "sent", 1)  # the burst is gone: whatever follows waits
        yield made


def until(client: Client, channel: str, status: str, count: int) -> list[dict[str, object]]:
    """So many of them."""
    for _ in range(3000):
        found = client.get(f"{PATH}?channel={channel}&status={status}").json()["notifications"]
        if len(found) >= count:
            return list(found)
        client.run(_moment())
    raise AssertionError(found)


async def _moment() -> None:
    import asyncio

    await asyncio.sleep(0.02)


def waiting(client: Client, subject: str = "<script>alert(1)</script>") -> str:
    return client.run(notify("slow", "message", {"subject": subject, "text": "", "password": "hunter2-hunter2"}))


def test_pages_of_the_list_are_filtered_and_checked(client: Client) -> None:
    made = [waiting(client) for _ in range(5)]
    page = client.get(f"{PATH}?status=queued&channel=slow&limit=3").json()
    rest = client.get(f"{PATH}?status=queued&channel=slow&limit=1000&cursor={page['next']}").json()
    seen = [one["id"] for one in (*page["notifications"], *rest["notifications"])]
    assert seen[:5] == sorted(made, reverse=True)
    assert rest["next"] is None
    for wrong in ("status=x", "limit=0", "limit=1001", "cursor=a%27", "stat=dead"):
        assert client.get(f"{PATH}?{wrong}").status == 400


def test_secrets_among_the_data_are_not_shown(client: Client) -> None:
    shown = client.get(f"{PATH}/{waiting(client)}")
    assert shown.json()["data"]["subject"] == "<script>alert(1)</script>"
    assert b"hunter2" not in shown.body


def test_only_admins_look_and_change(client: Client) -> None:
    id_ = waiting(client)
    for role, status in (("nobody", 401), ("user", 403), ("engineer", 403)):
        asked = ("x-role", role)
        assert client.get(PATH, headers=[asked]).status == status
        assert client.get(f"{PATH}/{id_}", headers=[asked]).status == status
        for verb in ("retry", "cancel"):
            assert client.post(f"{PATH}/{id_}/{verb}", headers=[asked]).status == status
        assert client.post(f"{PATH}/test", headers=[asked]).status == status


def test_a_page_without_scripts_shows_the_queue_and_its_forms_work(client: Client) -> None:
    id_ = waiting(client)
    page = client.get(f"{PATH}?status=queued", headers=[HTML])
    assert page.headers.get("content-type") == "text/html; charset=utf-8"
    policy = page.headers.get("content-security-policy", "")
    assert "default-src 'none'" in policy
    assert f'href="{PATH}/{id_}"' in page.body.decode()
    one = client.get(f"{PATH}/{id_}", headers=[HTML])
    assert "&lt;script&gt;" in one.body.decode()
    assert "<script" not in one.body.decode() + page.body.decode()
    assert f'action="{PATH}/{id_}/cancel"' in one.body.decode()
    done = client.post(f"{PATH}/{id_}/cancel", headers=[FORM, SAME])
    assert (done.status, done.headers.get("location")) == (303, f"{PATH}/{id_}")
    assert client.get(f"{PATH}/{id_}").json()["status"] == "cancelled"
    tested = client.post(f"{PATH}/test", headers=[FORM, SAME], body=b"channel=lines")
    assert tested.status == 303
    assert client.get(tested.headers.get("location", "")).json()["template"] == "test"


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ([SAME], True),
        ([("sec-fetch-site", "none")], True),
        ([("sec-fetch-site", "cross-site")], False),
        ([("sec-fetch-site", "same-site")], False),
        ([("origin", "http://evil.example")], False),
        ([("origin", "null")], False),
        ([("origin", "http://testserver"), ("host", "testserver")], True),
        ([FORM], False),
        ([("cookie", "a=b")], False),
        ([], True),
    ],
)
def test_another_site_cannot_have_anything_changed(client: Client, headers: list[tuple[str, str]], taken: bool) -> None:
    id_ = waiting(client)
    reply = client.post(f"{PATH}/{id_}/cancel", headers=headers)
    assert (reply.status in (200, 303)) is taken
    assert (client.get(f"{PATH}/{id_}").json()["status"] == "cancelled") is taken


def test_what_is_over_or_unknown_is_not_changed(client: Client) -> None:
    sent = until(client, "slow", "sent", 1)[0]["id"]
    assert client.post(f"{PATH}/{sent}/retry").json()["code"] == "notification_settled"
    assert client.post(f"{PATH}/{sent}/cancel").status == 409
    assert client.post(f"{PATH}/{'0' * 32}/retry").status == 404
    assert client.get(f"{PATH}/{'0' * 32}").status == 404
    for body in (b"{", b"[]", b'{"channel": 7}', b'{"channel": "none"}', b"x" * 20_000):
        assert client.post(f"{PATH}/test", body=body).status == 400


def test_events_become_notifications_as_the_rules_say(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for path in ("/alert", "/alert", "/changed/1/told", "/changed/1/told", "/changed/2/told", "/changed/3/untold"):
        client.get(path)
    client.get("/changed/4/seldom")
    client.get("/changed/5/seldom")
    client.run(notify("lines", "message", {"subject": "the last", "text": ""}))
    found = [one for one in until(client, "lines", "sent", 4) if one["template"] == "event"]
    assert len(found) == 3  # what is told twice is one, by its key
    assert all(one["request_id"] for one in found)
    assert any("It is full." in message for message in caplog.messages)
    seldom = [one for one in until(client, "slow", "queued", 1) if one["template"] == "event"]
    assert len(seldom) == 1


def test_a_notification_bears_the_id_of_its_request(client: Client) -> None:
    reply = client.get("/changed/77/told")
    (one,) = [one for one in until(client, "lines", "sent", 1) if "[77]" in str(one["dedup_key"])] or [{}]
    for _ in range(3000):
        if one:
            break
        client.run(_moment())
        found = client.get(f"{PATH}?channel=lines").json()["notifications"]
        one = next((each for each in found if "[77]" in str(each["dedup_key"])), {})
    assert reply.status == 200
    assert len(str(one["request_id"])) >= 16
    assert json.dumps(one)
