"""The demo's own traffic, websockets and errors included: span by span the same from both engines."""

import asyncio
import json
import signal
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import websockets
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.plugins.tracing.collector import attributes, collector
from tests.plugins.tracing.traced import ENGINES
from tests.wire.narthex_run import narthex_run

AGENT = {"user-agent": "Mozilla/5.0 (compatible; bingbot/2.0)"}
REQUESTS: tuple[tuple[str, str, bytes | None, Mapping[str, str]], ...] = (
    ("GET", "/", None, AGENT),
    ("GET", "/api/orders?limit=5&before=", None, {}),
    ("GET", "/api/orders?limit=2", None, {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}),
    ("POST", "/api/orders", b'{"customer": "T", "item": "map", "quantity": 2}', {"content-type": "application/json"}),
    ("POST", "/api/orders", b'{"item": "unicorn"}', {"content-type": "application/json"}),
    ("GET", "/api/orders/1", None, {}),
    ("GET", "/api/orders/999999", None, {}),
    ("DELETE", "/api/orders/1", None, {}),
    ("HEAD", "/download?rows=10", None, {}),
    ("GET", "/download?rows=1000", None, {}),
    ("GET", "/stream?count=2", None, {}),
    ("GET", "/fail", None, {}),
    ("GET", "/openapi.json?token=s3cr3ts3cr3t", None, {}),
    ("GET", "/nowhere", None, {}),
    ("GET", "/office/figures", None, {}),
    ("GET", "/a//b/%2e%2e", None, {}),
    ("GET", "/healthz", None, {}),
)
TOML = """
[narthex]
quiet = ["/healthz"]
[plugins.access]
default = "allow"
rules = [{{ path = "/office/**", roles = ["user"] }}]
[plugins.tracing]
engine = "{engine}"
endpoint = "{url}"
"""


def ask(url: str, method: str, target: str, body: bytes | None, fields: Mapping[str, str]) -> None:
    request = urllib.request.Request(url + target, data=body, headers=dict(fields), method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            refused.read()


async def chat(url: str) -> None:
    address = url.replace("http", "ws", 1)
    async with websockets.connect(f"{address}/ws?name=ada") as one:
        await one.send("good morning")
        # Both answers are waited for: an app that is still speaking when the client leaves may raise, or not.
        assert [json.loads(await one.recv())["event"] for _ in range(2)] == ["entered", "said"]
    with suppress(websockets.InvalidStatus):
        async with websockets.connect(f"{address}/nowhere"):
            pass


def told(span: Span, port: str) -> dict[str, Any]:
    """What a span says, but for ids, times, ports and the frames of a stack."""
    said = {key: value for key, value in attributes(span).items() if key != "net.peer.port"}
    events = [
        (one.name, {item.key: item.value.string_value for item in one.attributes if "stack" not in item.key})
        for one in span.events
    ]
    whole = {
        "name": span.name,
        "kind": span.kind,
        "attributes": {**said, "net.host.port": 0},
        "status": (span.status.code, span.status.message),
        "events": events,
        "parent": span.parent_span_id.hex(),
        "flags": span.flags,
    }
    seen: dict[str, Any] = json.loads(json.dumps(whole).replace(port, "PORT"))
    return seen


def spans_of(engine: str, directory: Path) -> list[dict[str, Any]]:
    directory.mkdir()
    with collector() as taken:
        toml = TOML.format(engine=engine, url=taken.url)
        with narthex_run("narthex_contrib.demo.shop.main:app", directory, toml) as house:
            for one in REQUESTS:
                ask(house.url, *one)
            asyncio.run(chat(house.url))
            house.send(signal.SIGTERM)
            assert house.wait() == 0
        port = house.url.rpartition(":")[2]
        ordered = sorted(taken.spans, key=lambda span: span.start_time_unix_nano)
        return [told(span, port) for span in ordered]


def test_the_demos_traffic_gives_the_same_spans(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as side_by_side:
        otel, lean = side_by_side.map(lambda engine: spans_of(engine, tmp_path / engine), ENGINES)
    for one, other in zip(otel, lean, strict=True):
        assert one == other
    assert len(otel) == len(REQUESTS) - 1 + 2  # /healthz is quiet; two websockets
    named = [span["name"] for span in otel]
    assert named[5] == "GET /api/orders/{number}"
    assert otel[11]["events"][0][1]["exception.type"] == "KeyError"
    assert "s3cr3t" not in repr(otel)
