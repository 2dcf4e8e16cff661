"""Debian's Prometheus reads the demo, and its tools have nothing to say against what it reads."""

import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.contrib.demo.conftest import NARTHEX, free_port, served
from tests.plugins.metrics.prometheus import Prometheus, needs_prometheus, prometheus

pytestmark = needs_prometheus


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        served((*NARTHEX, "demo", "--port", str(free_port())), tmp_path_factory.mktemp("demo")) as running,
        httpx.Client(
            base_url=f"http://{running.address}",
            timeout=10,
            headers={"connection": "close"},  # minutes lie between two
        ) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def reader(demo: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with prometheus(f"{demo.base_url.host}:{demo.base_url.port}", tmp_path_factory.mktemp("prometheus")) as made:
        yield made


def test_it_reads_the_demo(demo: httpx.Client, reader: Prometheus) -> None:
    for number in range(5):
        demo.get(f"/api/orders/{number + 1}")
    demo.get("/fail")
    (found,) = reader.until('narthex_http_requests_total{route="/api/orders/{number}",status="200"} >= 1')
    assert found["metric"]["method"] == "GET"
    assert reader.until('narthex_http_exceptions_total{route="/fail"}')
    assert reader.ask('up{job="narthex"}')[0]["value"][1] == "1"
    assert (reader.target()["health"], reader.target()["lastError"]) == ("up", "")


def test_it_keeps_the_trace_of_a_request(demo: httpx.Client, reader: Prometheus) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    demo.get("/api/orders", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    deadline = time.monotonic() + 30
    while True:
        found = reader.get(
            "query_exemplars",
            query='narthex_http_request_duration_seconds_bucket{route="/api/orders"}',
            start=str(time.time() - 300),
            end=str(time.time() + 10),
        )
        if found:
            break
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert {one["labels"]["trace_id"] for series in found for one in series["exemplars"]} == {trace}


def test_promtool_finds_nothing_to_say(demo: httpx.Client) -> None:
    page = demo.get("/api/metrics").content
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def test_the_questions_of_the_page_have_answers(demo: httpx.Client, reader: Prometheus) -> None:
    page = (Path(__file__).parents[3] / "docs/howto/metrics.md").read_text()
    table = page.partition("| PromQL |")[2]
    asked = [line.split("`")[1] for line in table.splitlines() if "`" in line]
    assert len(asked) == 6
    demo.get("/_narthex/auth/me")
    for question in asked:
        if "shop_" not in question:  # which is the page's own app
            _visit(demo)
            reader.until(question.replace("[5m]", "[20s]"), meanwhile=partial(_visit, demo))


def _visit(demo: httpx.Client) -> None:
    for path in ("/api/orders",) * 20:  # of which a few are timed hook by hook
        demo.get(path)
    demo.get("/fail")
