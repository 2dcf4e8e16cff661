"""Through `narthex run`, with a collector that takes OTLP."""

import asyncio
import json
import signal
import socket
import urllib.error
from pathlib import Path

import pytest
import websockets

from tests.plugins.tracing.collector import attributes, collector
from tests.plugins.tracing.traced import ENGINES
from tests.wire.narthex_run import SERVERS, narthex_run

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def table(engine: str, url: str, more: str = "") -> str:
    return f'[plugins.tracing]\nengine = "{engine}"\nendpoint = "{url}"\nservice = "shop"\n{more}\n'


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("server", SERVERS)
def test_span_and_log_line_of_a_request_bear_the_same_trace_id(server: str, engine: str, tmp_path: Path) -> None:
    with collector() as taken:
        toml = f"[plugins.logging]\n{table(engine, taken.url)}"
        with narthex_run("shop:app", tmp_path, toml, server=server) as house:
            house.get("/first", traceparent=PARENT)
            house.get("/second")
            house.send(signal.SIGTERM)
            assert house.wait() == 0
        spans = {attributes(span)["http.target"]: span for span in taken.wait(2)}
    lines = [json.loads(line) for line in house.stdout.splitlines()]
    logged = {line["path"]: line["trace_id"] for line in lines if line["logger"] == "narthex.access"}
    assert {path: span.trace_id.hex() for path, span in spans.items()} == logged
    assert logged["/first"] == "0af7651916cd43dd8448eb211c80319c"
    assert spans["/first"].parent_span_id.hex() == "b7ad6b7169203331"
    assert attributes(spans["/first"])["http.status_code"] == 200
    assert set(taken.services) == {"shop"}


@pytest.mark.parametrize("engine", ENGINES)
def test_two_workers_refusals_and_sockets_have_spans(engine: str, tmp_path: Path) -> None:
    rules = '[plugins.access]\ndefault = "allow"\nrules = [{ path = "/closed", roles = ["admin"] }]\n'

    async def greet(url: str) -> None:
        async with websockets.connect(f"{url.replace('http', 'ws', 1)}/ws") as one:
            await one.send("hello")
            await one.recv()

    with collector() as taken:
        toml = table(engine, taken.url) + rules
        with narthex_run("lasting:app", tmp_path, toml, workers=2) as house:
            for _ in range(20):
                house.get("/")
            with pytest.raises(urllib.error.HTTPError) as refused:
                house.get("/closed")
            asyncio.run(greet(house.url))
            house.send(signal.SIGTERM)
            assert house.wait() == 0
        spans = taken.wait(22)
    assert refused.value.code in (401, 403)
    assert len(spans) == 22
    assert len({span.span_id for span in spans}) == 22
    (closed,) = [attributes(span) for span in spans if attributes(span)["http.target"] == "/closed"]
    assert closed["http.status_code"] == refused.value.code
    assert closed["narthex.refusal.plugin"] == "access"
    assert [span for span in spans if attributes(span)["http.target"] == "/ws"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_collector_that_is_away_fails_no_request_and_the_stop_is_in_time(engine: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    toml = table(engine, f"http://127.0.0.1:{port}/v1/traces", 'flush = "500ms"')
    with narthex_run("shop:app", tmp_path, toml) as house:
        for number in range(50):
            house.get(f"/{number}")
        house.send(signal.SIGTERM)
        assert house.wait() == 0
    assert "50 spans did not reach the collector" in house.stdout + house.stderr


def test_a_variable_of_the_exporter_that_is_wrong_stops_the_start(tmp_path: Path) -> None:
    with narthex_run("shop:app", tmp_path, '[plugins.tracing]\nexporter = "zipkin"\n') as house:
        assert house.wait() == 3
    assert "no exporter 'zipkin' is installed" in house.stdout + house.stderr


def test_messages_need_the_engine_that_can(tmp_path: Path) -> None:
    with narthex_run("shop:app", tmp_path, '[plugins.tracing]\nengine = "lean"\nmessages = ["send"]\n') as house:
        assert house.wait() != 0
    assert '`messages` needs `engine = "otel"`' in house.stdout + house.stderr
