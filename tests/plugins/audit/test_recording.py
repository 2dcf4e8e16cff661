"""What is recorded of requests, refusals, events and the app, and what is not."""

import hashlib
import threading
from pathlib import Path
from typing import Any, Final

import pytest

from narthex.events import Event
from narthex_plugins import audit
from narthex_plugins.audit.app import SCRIBES
from narthex_plugins.audit.record import RecordError
from tests.plugins.audit.house import ADMIN, BOB, plugin_of, recorded, recording, records, told

ASKED: Final = ("GET /x", "POST /x", "POST /noise", "GET /admin/x", "POST /admin/x")
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmVkc2lnbmVkc2lnbmVk"


def test_changes_refusals_and_the_houses_own_endpoints_are_recorded_and_nothing_else() -> None:
    with recording() as client:
        client.get("/x", BOB)
        client.post("/x", headers=BOB)
        client.get("/admin/x", BOB)
        client.get("/_narthex/audit", ADMIN)
        found = recorded(client, 3)
        assert told(found) == [
            ("http.POST", "/x", "success"),
            ("http.GET", "/admin/x", "refused"),
            ("http.GET", "/_narthex/audit", "success"),
        ]
        assert [one["actor"] for one in found] == ["bob", "bob", "ada"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"requests": "all"}, list(ASKED)),
        ({"requests": "none"}, ["GET /admin/x", "POST /admin/x"]),
        ({"requests": "none", "refusals": False}, []),
        ({"refusals": False}, ["POST /x", "POST /noise", "POST /admin/x"]),
        ({"requests": "none", "refusals": False, "paths": ["/x"]}, ["GET /x", "POST /x"]),
        ({"ignore": ["/noise", "/admin/**"]}, ["POST /x", "GET /admin/x", "POST /admin/x"]),
    ],
)
def test_what_is_recorded_is_a_setting(settings: dict[str, Any], expected: list[str]) -> None:
    with recording(**settings) as client:
        for line in ASKED:
            method, path = line.split()
            client.request(method, path, BOB)
        client.post("/_narthex/access/grants", headers=ADMIN)  # the last one: what comes after it would be seen
        found = recorded(client, len(expected) + 1)
        assert [f"{one['details']['method']} {one['resource']}" for one in found][:-1] == expected


def test_a_record_says_who_from_where_by_which_rule() -> None:
    with recording() as client:
        reply = client.post("/admin/x?page=2", headers=[*BOB, ("x-request-id", "my-own"), ("traceparent", TRACE)])
        assert reply.status == 403
        (one,) = recorded(client, 1)
    assert (one["actor"], one["session"], one["request_id"]) == ("bob", "s1", "my-own")
    assert one["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    details = one["details"]
    assert (details["roles"], details["status"], details["query"]) == (["user"], 403, "page=2")
    assert (details["code"], details["plugin"], details["decision"]) == ("role_required", "access", "deny")
    assert details["rule"].endswith("/admin/**")
    assert one["reason"] == "bob has no role admin"


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_the_app_records_in_plain_and_async_code_and_later() -> None:
    with recording() as client:
        client.post("/orders", headers=BOB)
        client.get("/orders", BOB)
        client.post("/later", headers=BOB)
        found = recorded(client, 5)
        placed, read, sent = (
            next(one for one in found if one["action"] == action)
            for action in ("order.placed", "order.read", "mail.sent")
        )
    post = next(one for one in found if one["action"] == "http.POST")
    assert placed["request_id"] == post["request_id"]
    assert (placed["actor"], placed["resource"], placed["reason"]) == ("bob", "order 7", "a test")
    digests = [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in (b'{"state":"new"}', b"placed")]
    assert [placed["before"], placed["after"]] == digests
    assert placed["details"] == {"lines": 3}
    assert (read["actor"], sent["actor"]) == ("somebody else", "bob")


def test_a_bare_thread_has_no_request_and_records_all_the_same() -> None:
    with recording() as client:
        thread = threading.Thread(target=audit.record, args=("night.job", "all orders"))
        thread.start()
        thread.join()
        (one,) = recorded(client, 1)
    assert (one["action"], one["actor"], one["request_id"]) == ("night.job", None, None)


def test_without_the_plugin_nothing_happens() -> None:
    assert SCRIBES == []
    audit.record("order.placed", broken=object())


@pytest.mark.parametrize(
    "wrong", [{"action": ""}, {"outcome": ""}, {"outcome": "intent"}, {"x": object()}, {"x": "y" * 20_000}]
)
def test_what_cannot_be_recorded_is_told_to_who_says_it(wrong: dict[str, object]) -> None:
    with recording() as client:
        words: dict[str, object] = {"action": "a", **wrong}
        with pytest.raises(RecordError):
            audit.record(**words)  # type: ignore[arg-type]
        assert records(client) == []


def test_no_secret_rests_in_the_log() -> None:
    with recording() as client:
        client.post(f"/reset/{TOKEN}?token={TOKEN}&page=1", headers=[*BOB, ("authorization", f"Bearer {TOKEN}")])
        client.post("/x?api_key=hunter2hunter2&code=4711abcd", headers=[("x-request-id", TOKEN)])
        found = str(recorded(client, 2))
    assert TOKEN not in found
    assert TOKEN[:20] not in found
    assert "hunter2" not in found
    assert "[redacted:jwt]" in found
    assert "page=1" in found


def test_an_exception_is_a_failure_and_its_text_is_not_kept() -> None:
    with recording() as client:
        client.post("/fail", headers=BOB)
        (one,) = recorded(client, 1)
    assert (one["outcome"], one["details"]["error"], one["details"]["status"]) == ("failed", "LookupError", 500)
    assert "secret" not in str(one)


def test_a_websocket_is_recorded_when_it_ends() -> None:
    with recording() as client:
        client.websocket("/admin/chat", ["hello"], BOB)
        (one,) = recorded(client, 1)
    assert (one["action"], one["outcome"]) == ("websocket", "refused")


class Shouted(Event):
    topic = "shop.shouted"


class Alike(Event):
    topic = "shop.alike"
    told_by = ("topic",)


def test_events_are_recorded_and_what_all_processes_tell_is_recorded_once(store_url: str) -> None:
    with recording(store_url) as client, recording(store_url) as other:
        for house in (client, other):
            bus = plugin_of(house)._house.events
            bus.publish(Alike())
            bus.publish(Alike())
            bus.publish(Shouted())
        found = recorded(client, 3)
    assert sorted(one["action"] for one in found) == ["shop.alike", "shop.shouted", "shop.shouted"]


def test_events_can_be_left_out() -> None:
    with recording(events=False) as client:
        plugin_of(client)._house.events.publish(Shouted())
        client.post("/x", headers=BOB)
        assert told(recorded(client, 1)) == [("http.POST", "/x", "success")]


def test_a_house_that_lives_twice_goes_on_with_its_log(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/n.db"
    with recording(store) as client:
        client.post("/one", headers=BOB)
    with recording(store) as client:
        client.post("/two", headers=BOB)
        assert [one["resource"] for one in recorded(client, 2)] == ["/one", "/two"]


def test_two_instances_keep_two_logs() -> None:
    second = {"second": {"use": "audit", "path": "/second", "requests": "all", "gather": "1ms", "silent": ["narthex"]}}
    with recording(more=second) as client:
        client.get("/x", BOB)
        client.post("/orders", headers=BOB)
        found = recorded(client, 2)
        assert told(found) == [("order.placed", "order 7", "success"), ("http.POST", "/orders", "success")]
        assert len(recorded(client, 3, "second")) == 3


def test_who_may_read_is_asked() -> None:
    with recording() as client:
        assert client.get("/_narthex/audit").status == 401
        assert client.get("/_narthex/audit", BOB).status == 403
        assert client.get("/_narthex/audit/export", BOB).status == 403
        assert client.post("/_narthex/audit", headers=ADMIN).status == 405
