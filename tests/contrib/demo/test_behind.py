"""The order desk behind Narthex answers as it does by itself, and every exchange leaves its mark in the log."""

import json
import re
import subprocess
import time

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.contrib.demo.conftest import Served

ADDED = {"x-request-id"}
MOVING = {"date"}
JSON = {"content-type": "application/json"}
FORM = {"content-type": "multipart/form-data; boundary=sea"}
FILE = (
    b'--sea\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    + bytes(70_000)
    + b"\r\n--sea--\r\n"
)

Call = tuple[str, str, dict[str, str], bytes]
CALLS: list[Call] = [
    ("GET", "/", {}, b""),
    ("HEAD", "/", {}, b""),
    ("GET", "/api/orders", {}, b""),
    ("GET", "/api/orders?limit=1&before=2", {}, b""),
    ("GET", "/api/orders?limit=0", {}, b""),
    ("POST", "/api/orders", JSON, b'{"customer": "Grace", "item": "rope", "quantity": 3}'),
    ("POST", "/api/orders", JSON, b'{"customer": "", "item": "unicorn"}'),
    ("POST", "/api/orders", JSON, b"{"),
    ("GET", "/api/orders/1", {}, b""),
    ("GET", "/api/orders/999999", {}, b""),
    ("GET", "/api/orders/", {}, b""),
    ("DELETE", "/api/orders/1", {}, b""),
    ("POST", "/upload", FORM, FILE),
    ("POST", "/upload", FORM, b"--sea--\r\n"),
    ("GET", "/download?rows=0", {}, b""),
    ("GET", "/download?rows=50000", {}, b""),
    ("GET", "/stream?count=1", {}, b""),
    ("GET", "/fail", {}, b""),
    ("GET", "/openapi.json", {}, b""),
    ("GET", "/docs", {}, b""),
    ("GET", "/nowhere", {}, b""),
    ("OPTIONS", "/api/orders", {"origin": "https://elsewhere.example"}, b""),
]


def seen(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], str]:
    """An answer without what may differ: the date, the port, and the time of an order."""
    fields = [(name, value) for name, value in answer.headers.multi_items() if name not in ADDED | MOVING]
    body = re.sub(r'"placed_at":"[^"]+"|"confirmed_at":"[^"]+"', "", answer.text)
    port = f":{answer.request.url.port}"
    return answer.status_code, [(name, value.replace(port, "")) for name, value in fields], body


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0]} {call[1]}")
def test_the_same_answer_but_for_the_request_id(shop: httpx.Client, hall: httpx.Client, call: Call) -> None:
    method, path, headers, content = call
    bare = shop.request(method, path, headers=headers, content=content)
    behind = hall.request(method, path, headers=headers, content=content)
    assert seen(behind) == seen(bare)
    assert len(behind.headers.get_list("x-request-id")) == 1


def test_a_path_that_reads_in_two_ways_is_refused_where_callers_are_known(hall: httpx.Client) -> None:
    answer = hall.get("/a%2Fb//c/../d")
    assert (answer.status_code, answer.json()["code"]) == (400, "odd_path")


@pytest.mark.parametrize("path", ["/", "/api/orders/1", "/fail", "/nowhere", "/download?rows=10"])
def test_a_request_is_one_line(behind: Served, hall: httpx.Client, path: str) -> None:
    answer = hall.get(path)
    line = behind.line_about(answer.headers["x-request-id"], "narthex.access")
    assert (line["method"], line["path"]) == ("GET", path.partition("?")[0])
    assert (line["status"], line["bytes"]) == (answer.status_code, len(answer.content))


def test_what_the_app_logs_carries_the_id_of_the_request(behind: Served, hall: httpx.Client) -> None:
    order = hall.post("/api/orders", json={"customer": "Ada", "item": "map", "quantity": 1})
    placed = f"order {order.json()['id']} placed: 1 x map"
    deadline = time.monotonic() + 10
    while len(about := behind.messages(order.headers["x-request-id"], "shop")) < 2:
        assert time.monotonic() < deadline, about
        time.sleep(0.05)
    assert about == [placed, f"order {order.json()['id']} confirmed"]


def test_a_failure_is_one_line_with_its_traceback(behind: Served, hall: httpx.Client) -> None:
    failed = hall.get("/fail")
    line = behind.line_about(failed.headers["x-request-id"], "narthex.error")
    assert "KeyError: 'cash'" in json.dumps(line)
    assert "shop/main.py" in json.dumps(line)
    assert "Traceback" not in behind.told.read_text("utf-8")


def test_an_id_that_the_caller_brings_is_taken_over(behind: Served, hall: httpx.Client) -> None:
    answer = hall.get("/api/orders/1", headers={"x-request-id": "brought-by-hand"})
    assert answer.headers["x-request-id"] == "brought-by-hand"
    behind.line_about("brought-by-hand", "narthex.access")


def test_the_stream_flows_and_ends_with_its_reader(behind: Served, hall: httpx.Client) -> None:
    with hall.stream("GET", "/stream") as answer:
        first = next(answer.iter_text())  # the stream has no end: what was held back would never come
    assert first.startswith("id: 1\nevent: tick\n")
    line = behind.line_about(answer.headers["x-request-id"], "narthex.access")
    assert line["status"] == 200


def test_a_download_that_is_given_up_ends_in_the_app_too(behind: Served, hall: httpx.Client) -> None:
    with hall.stream("GET", "/download?rows=5000000") as answer:
        next(answer.iter_raw())
    line = behind.line_about(answer.headers["x-request-id"], "narthex.access")
    sent = line["bytes"]
    assert isinstance(sent, int)
    assert 0 < sent < 50_000_000


def test_the_chat_says_the_same(bare: Served, behind: Served) -> None:
    def talk(socket: ClientConnection) -> list[object]:
        heard = [socket.recv(timeout=5)]
        socket.send("good morning")
        return [*heard, socket.recv(timeout=5)]

    with connect(f"ws://{bare.address}/ws?name=ada") as plain, connect(f"ws://{behind.address}/ws?name=ada") as hall:
        assert talk(hall) == talk(plain)
    assert hall.response is not None
    line = behind.line_about(hall.response.headers["x-request-id"], "narthex.access")
    assert (line["path"], line["status"]) == ("/ws", 101)


def test_health_is_added_and_leaves_no_line(behind: Served, shop: httpx.Client, hall: httpx.Client) -> None:
    assert shop.get("/readyz").status_code == 404
    ready = hall.get("/readyz")
    assert ready.status_code == 200
    time.sleep(0.2)
    assert behind.messages(ready.headers["x-request-id"], "narthex.access") == []


def test_the_tour_s_token_is_in_no_line_and_the_shop_is_turned_down(behind: Served, hall: httpx.Client) -> None:
    told = behind.told.read_text("utf-8").splitlines()
    token = next(line for line in told if "/reset/" in line).rpartition("/")[2]
    answer = hall.get(f"/reset/{token}")
    assert behind.line_about(answer.headers["x-request-id"], "narthex.access")["path"] == "/reset/[redacted:jwt]"
    command = next(line for line in told if " log-level " in line)
    for line in (command, command.replace("warning", "default")):
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, "shop " in done.stdout) == (0, True), done
    assert token not in behind.out.read_text("utf-8")
