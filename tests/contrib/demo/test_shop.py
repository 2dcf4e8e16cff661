"""The order desk by itself, over real uvicorn: what Narthex must not change."""

import hashlib
import json
import subprocess
import sys
import time
from datetime import UTC, datetime

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.contrib.demo.conftest import Served

ORDER = {"customer": "Grace", "item": "rope", "quantity": 3}


def ask_chat(socket: ClientConnection) -> dict[str, object]:
    message: dict[str, object] = json.loads(socket.recv(timeout=5))
    return message


def test_the_shop_imports_nothing_of_narthex() -> None:
    script = """
import sys, narthex_contrib.demo.shop.main
print(sorted(m for m in sys.modules if m.split(".")[0] in {"narthex", "narthex_plugins", "pluggy"}))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_order_is_kept_with_its_total_and_its_address(shop: httpx.Client) -> None:
    placed = shop.post("/api/orders", json=ORDER)
    assert placed.status_code == 201
    assert placed.json()["total_cents"] == 3750
    assert shop.get(placed.headers["location"]).json()["customer"] == "Grace"


def test_the_confirmation_goes_out_after_the_answer(shop: httpx.Client) -> None:
    order = shop.post("/api/orders", json=ORDER).json()
    answered = datetime.now(UTC)
    assert order["confirmed_at"] is None
    deadline = time.monotonic() + 10
    while not (confirmed := shop.get(f"/api/orders/{order['id']}").json()["confirmed_at"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert datetime.fromisoformat(confirmed) > answered


def test_orders_are_listed_newest_first_and_page_by_number(shop: httpx.Client) -> None:
    numbers = [shop.post("/api/orders", json=ORDER).json()["id"] for _ in range(3)]
    assert [order["id"] for order in shop.get("/api/orders", params={"limit": 3}).json()] == numbers[::-1]
    earlier = shop.get("/api/orders", params={"limit": 1, "before": numbers[1]}).json()
    assert [order["id"] for order in earlier] == [numbers[0]]


@pytest.mark.parametrize(
    "change", [{"customer": " "}, {"item": "unicorn"}, {"quantity": 0}, {"quantity": 101}, {"discount": 5}]
)
def test_a_bad_order_is_refused_and_its_field_named(shop: httpx.Client, change: dict[str, object]) -> None:
    refused = shop.post("/api/orders", json={**ORDER, **change})
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["body", *change]


def test_an_unknown_order_is_not_found(shop: httpx.Client) -> None:
    assert shop.get("/api/orders/999999").status_code == 404


def test_an_upload_larger_than_a_piece_is_measured_and_hashed(shop: httpx.Client) -> None:
    content = bytes(range(256)) * 4096
    received = shop.post("/upload", files={"file": ("tide.bin", content)}).json()
    assert received == {"name": "tide.bin", "size": 1 << 20, "sha256": hashlib.sha256(content).hexdigest()}


@pytest.mark.parametrize("rows", [0, 1, 1000, 1001, 50_000])
def test_the_ledger_has_as_many_lines_as_asked_for(shop: httpx.Client, rows: int) -> None:
    lines = shop.get("/download", params={"rows": rows}).text.splitlines()
    assert len(lines) == rows + 1
    assert rows == 0 or lines[-1].startswith(f"{rows},")


def test_the_ledger_starts_to_arrive_long_before_it_ends(shop: httpx.Client) -> None:
    with shop.stream("GET", "/download", params={"rows": 5_000_000}) as answer:
        first = next(answer.iter_text())
    assert answer.headers.get("content-length") is None
    assert first.startswith("line,item,quantity,total_cents\n")


def test_a_long_download_holds_nobody_up(shop: httpx.Client) -> None:
    with shop.stream("GET", "/download", params={"rows": 5_000_000}):
        began = time.monotonic()
        assert shop.get("/api/orders/1").status_code == 200
    assert shop.get("/api/orders/1").status_code == 200  # nor does one that was given up
    assert time.monotonic() - began < 2.5


def test_the_stream_ticks_once_a_second(shop: httpx.Client) -> None:
    began = time.monotonic()
    events = shop.get("/stream", params={"count": 2}).text.strip().split("\n\n")
    assert time.monotonic() - began >= 1
    assert [event.splitlines()[:2] for event in events] == [
        ["id: 1", "event: tick"],
        ["id: 2", "event: tick"],
    ]
    assert json.loads(events[0].splitlines()[2].removeprefix("data: "))["tick"] == 1


def test_the_chat_is_heard_by_everyone_in_the_room(bare: Served) -> None:
    with connect(f"ws://{bare.address}/ws?name=ada") as ada:
        assert ask_chat(ada) == {"event": "entered", "name": "ada", "present": 1}
        with connect(f"ws://{bare.address}/ws?name=grace") as grace:
            assert ask_chat(ada) == ask_chat(grace) == {"event": "entered", "name": "grace", "present": 2}
            grace.send("good morning")
            assert ask_chat(ada)["text"] == ask_chat(grace)["text"] == "good morning"
        assert ask_chat(ada) == {"event": "left", "name": "grace", "present": 1}


def test_the_failing_endpoint_fails(shop: httpx.Client) -> None:
    failed = shop.get("/fail")
    assert (failed.status_code, failed.text) == (500, "Internal Server Error")


def test_the_page_needs_nothing_from_elsewhere(shop: httpx.Client) -> None:
    page = shop.get("/").text
    assert "Order desk" in page
    assert not [
        word
        for word in ("src=", "@import", "//cdn", "http://", "https://")
        if word in page.replace("http://www.w3.org", "")
    ]
