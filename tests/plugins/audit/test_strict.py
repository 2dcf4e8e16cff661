"""`durability = "strict"`: the intent before the app, the outcome before the answer, or neither app nor answer."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from narthex.testing import Client
from tests.plugins.audit.house import ADMIN, BOB, DO, Facts, plugin_of, recorded, recording, records, told


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with recording(f"sqlite:///{tmp_path}/n.db", durability="strict", events=False) as made:
        yield made


@pytest.fixture
def do() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Have the app do something at POST /do."""
    yield DO.append
    DO.clear()


LONG = f"/do/{'x' * 2000}?{'y' * 2000}"
"""Whose record needs a page of the database of its own."""


def full(client: Client) -> None:
    """Have SQLite say that the disk is full, the next time that a page is needed."""

    def limit(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    plugin_of(client)._store.write_blocking(limit)


def test_the_intent_is_on_disk_before_the_app_and_the_outcome_before_the_answer(
    client: Client, do: Callable[[Callable[[], object]], None]
) -> None:
    seen: list[list[Facts]] = []
    do(lambda: seen.append(records(client)))
    assert client.post("/do", headers=BOB).status == 200
    found = records(client)  # at once: nothing is waited for
    assert told(seen[0]) == [("http.POST", "/do", "intent")]
    assert told(found) == [("http.POST", "/do", "intent"), ("http.POST", "/do", "success")]
    assert len({one["request_id"] for one in found}) == 1
    assert "status" not in found[0]["details"]


def test_what_the_app_records_is_on_disk_with_the_outcome(client: Client) -> None:
    client.post("/orders", headers=BOB)
    assert [one["action"] for one in records(client)] == ["http.POST", "order.placed", "http.POST"]
    client.get("/orders", BOB)  # not recorded itself
    assert records(client)[-1]["action"] == "order.read"


def test_a_refusal_is_on_disk_before_its_bytes_leave(client: Client) -> None:
    client.get("/admin/x", BOB)
    assert told(records(client)) == [("http.GET", "/admin/x", "refused")]


def test_an_exception_is_on_disk_before_the_server_answers(client: Client) -> None:
    client.post("/fail", headers=BOB)
    assert [one["outcome"] for one in records(client)] == ["intent", "failed"]


def test_what_fails_after_its_answer_has_begun_is_recorded_too(client: Client) -> None:
    client.post("/broken", headers=BOB)
    found = recorded(client, 3)
    assert [one["outcome"] for one in found] == ["intent", "success", "failed"]
    assert found[2]["reason"] == "the answer had begun when it failed"


def test_where_the_intent_cannot_be_kept_the_app_is_not_asked(
    client: Client, do: Callable[[Callable[[], object]], None]
) -> None:
    reached: list[int] = []
    do(lambda: reached.append(1))
    full(client)
    reply = client.post(LONG, headers=BOB)
    assert (reply.status, reply.json()["code"], reached) == (503, "intent_unrecorded", [])
    assert client.post(LONG, headers=BOB).status == 200  # the writer has a new connection, and the disk is well
    assert [one["outcome"] for one in records(client)] == ["intent", "success"]


def test_where_the_outcome_cannot_be_kept_the_caller_is_told_so(
    client: Client, do: Callable[[Callable[[], object]], None]
) -> None:
    do(lambda: full(client))
    reply = client.post(LONG, headers=BOB)
    assert (reply.status, reply.json()["code"]) == (503, "outcome_unrecorded")
    found = recorded(client, 2)  # as soon as that can be written
    assert [one["outcome"] for one in found] == ["intent", "refused"]
    assert found[1]["details"]["code"] == "outcome_unrecorded"


def test_the_houses_own_endpoints_are_strict_too(client: Client) -> None:
    reply = client.get("/_narthex/audit", ADMIN)
    assert [one["outcome"] for one in reply.json()["records"]] == ["intent"]
    assert [one["outcome"] for one in records(client)] == ["intent", "success"]


def test_a_websocket_is_kept_before_it_is_accepted(client: Client) -> None:
    client.websocket("/chat", ["hello"], BOB)
    assert {one["outcome"] for one in records(client)} >= {"intent"}
    client.websocket("/admin/chat", ["hello"], BOB)
    assert records(client)[-1]["outcome"] == "refused"
