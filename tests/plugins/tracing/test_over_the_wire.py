"""Through `narthex run`, with a collector that takes OTLP."""

import asyncio
import json
import os
import re
import signal
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
import websockets

from tests.plugins.tracing.collector import Collector, attributes, collector
from tests.wire.narthex_run import LIMIT, House, narthex_run
from tests.wire.servers import free_port, serve

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
RULES = '[plugins.access]\ndefault = "allow"\nrules = [{ path = "/closed", roles = ["admin"] }]\n'


def table(url: str, engine: str = "lean", more: str = "") -> str:
    return f'[plugins.tracing]\nengine = "{engine}"\nendpoint = "{url}"\nservice = "shop"\n{more}\n'


def status(house: House, path: str) -> int:
    try:
        house.get(path)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code
    return 200


@pytest.mark.parametrize(
    ("server", "engine"), [("uvicorn", "lean"), ("hypercorn", "lean"), ("granian", "lean"), ("uvicorn", "otel")]
)
def test_log_line_span_and_exemplar_of_a_request_bear_the_same_trace_id(
    server: str, engine: str, tmp_path: Path
) -> None:
    (tmp_path / "figures").mkdir()
    with collector() as taken:
        toml = f'[plugins.logging]\n[plugins.metrics]\ndirectory = "figures"\n{table(taken.url, engine)}'
        toml = f'[narthex]\nquiet = ["/api/metrics"]\n{toml}'
        with narthex_run("shop:app", tmp_path, toml, server=server) as house:
            house.get("/first", traceparent=PARENT)
            page = house.get("/api/metrics", accept=OPENMETRICS)
            house.get("/second")
            house.send(signal.SIGTERM)
            assert house.wait() == 0
        spans = {attributes(span)["http.target"]: span for span in taken.wait(2)}
    lines = [json.loads(line) for line in house.stdout.splitlines()]
    logged = {line["path"]: line["trace_id"] for line in lines if line["logger"] == "narthex.access"}
    assert {path: span.trace_id.hex() for path, span in spans.items()} == logged
    assert logged["/first"] == "0af7651916cd43dd8448eb211c80319c"
    duration = re.escape("narthex_http_request_duration_seconds_bucket")
    assert re.findall(duration + r'.* # \{trace_id="(\w+)"\}', page) == [logged["/first"]]
    assert spans["/first"].parent_span_id.hex() == "b7ad6b7169203331"
    assert attributes(spans["/first"])["http.status_code"] == 200
    assert set(taken.services) == {"shop"}


def test_two_workers_refusals_and_sockets_have_spans(tmp_path: Path) -> None:
    async def greet(url: str) -> None:
        async with websockets.connect(f"{url.replace('http', 'ws', 1)}/ws") as one:
            await one.send("hello")
            await one.recv()

    with collector() as taken:
        with narthex_run("lasting:app", tmp_path, table(taken.url) + RULES, workers=2) as house:
            for _ in range(20):
                house.get("/")
            refused = status(house, "/closed")
            asyncio.run(greet(house.url))
            house.send(signal.SIGTERM)
            assert house.wait() == 0
        spans = taken.wait(22)
    assert refused in (401, 403)
    assert len(spans) == 22
    assert len({span.span_id for span in spans}) == 22
    (closed,) = [attributes(span) for span in spans if attributes(span)["http.target"] == "/closed"]
    assert closed["http.status_code"] == refused
    assert closed["narthex.refusal.plugin"] == "access"
    assert [span for span in spans if attributes(span)["http.target"] == "/ws"]


def test_no_request_feels_what_becomes_of_the_collector_or_of_another_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("BSP_SCHEDULE_DELAY", "20"), ("BSP_MAX_QUEUE_SIZE", "8"), ("BSP_MAX_EXPORT_BATCH_SIZE", "4")):
        monkeypatch.setenv(f"OTEL_{name}", value)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1")
    (tmp_path / "figures").mkdir()
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1/traces"
    toml = '[plugins.metrics]\ndirectory = "figures"\n[plugins.health]\n' + table(url, more='flush = "200ms"')
    with narthex_run("shop:app", tmp_path, toml, workers=2) as house:

        def asked(path: str) -> int:
            return int(house.get(path))  # whatever else is wrong, each is answered

        def counted(result: str) -> float:
            page = house.get("/api/metrics")
            found = re.search(rf'^narthex_tracing_spans_total\{{.*result="{result}"\}} (\S+)$', page, re.MULTILINE)
            return 0.0 if found is None else float(found[1])

        house.until(lambda: asked("/down") and counted("failed"))
        with collector(port) as taken:
            house.until(lambda: asked("/up") and targets(taken) & {"/up"})
            taken.fault = "hangs"
            house.until(lambda: asked("/hung") and counted("dropped"))
            taken.fault = "500"
            taken.released.set()
            house.until(lambda: asked("/refused") and "reason: Internal Server Error" in house.stderr + house.stdout)
            taken.fault = ""
            before = house.workers()
            os.kill(min(before), signal.SIGKILL)
            house.until(lambda: house.workers() - before)
            house.until(lambda: _answered(house, "/reborn") in house.workers() - before)
            house.until(lambda: "/reborn" in targets(taken))
            taken.released.clear()
            taken.fault = "hangs"
            asked("/last")
            house.send(signal.SIGTERM)
            assert house.wait() == 0


def _answered(house: House, path: str) -> int:
    with suppress(OSError):  # those that the kill cuts off
        return int(house.get(path))
    return 0


def targets(taken: Collector) -> set[str]:
    return {attributes(span)["http.target"] for span in taken.spans}


APP = """
import os

from narthex import Narthex


async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


house = Narthex(app, os.path.join(os.path.dirname(__file__), "narthex.toml"))
"""


@pytest.mark.parametrize(
    "extra", [pytest.param((), id="plain", marks=pytest.mark.slow), pytest.param(("--preload",), id="preload")]
)
def test_workers_that_gunicorn_forks_send_spans_of_their_own(extra: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "forked.py").write_text(APP)
    env = {"PYTHONPATH": str(tmp_path), "OTEL_BSP_SCHEDULE_DELAY": "20"}
    with collector() as taken:
        (tmp_path / "narthex.toml").write_text(table(taken.url))
        with serve("forked:house", "gunicorn", extra=["--workers=2", *extra], directory=tmp_path, env=env) as server:
            pids, paths = set[str](), list[str]()
            deadline = time.monotonic() + LIMIT
            while len(pids) < 2 or len(paths) < 10:
                assert time.monotonic() < deadline
                paths.append(f"/{len(paths)}")
                request = urllib.request.Request(server.url + paths[-1], headers={"connection": "close"})
                with urllib.request.urlopen(request, timeout=LIMIT) as answer:
                    pids.add(answer.read().decode())
            spans = taken.wait(len(paths))  # and the one by which it was found to be ready
    assert {*paths, "/"} >= targets(taken)
    assert len({span.trace_id for span in spans}) == len({span.span_id for span in spans}) == len(spans)
