"""Whatever a collector does, spans are counted, the queue is bounded, and what comes after is sent."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from narthex.testing import Client, config
from narthex_plugins.tracing.exporting import Pipeline
from narthex_plugins.tracing.settings import TracingSettings
from tests.plugins.tracing.collector import FAULTS, LIMIT, Collector, collector


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds are the library's. A good answer may take longer than this too, on a machine that is busy."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0.3")


@pytest.fixture
def taken() -> Iterator[Collector]:
    with collector() as running:
        yield running


def end(pipeline: Pipeline, count: int, name: str = "one") -> None:
    tracer = pipeline.provider.get_tracer("t")
    for _ in range(count):
        tracer.start_span(name).end()


def until_taken(pipeline: Pipeline) -> None:
    """End spans until one was taken."""
    deadline = time.monotonic() + LIMIT
    while not pipeline.counts()["exported"]:
        assert time.monotonic() < deadline
        end(pipeline, 1, "late")
        pipeline.provider.force_flush()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("fault", FAULTS)
def test_spans_that_a_collector_does_not_take_are_counted_and_the_next_ones_arrive(
    taken: Collector, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = Pipeline(TracingSettings(endpoint=taken.url))
    taken.fault = fault
    end(pipeline, 3, "lost")
    pipeline.provider.force_flush()
    lost = {"ended": 3, "exported": 0, "failed": 3, "dropped": 0}
    assert pipeline.counts() == lost
    assert "Failed to export spans batch" in caplog.text
    taken.fault = ""
    until_taken(pipeline)
    asyncio.run(pipeline.close(60))
    assert {span.name for span in taken.spans} == {"late"}


def test_an_answer_that_is_no_message_is_none_of_our_business(taken: Collector) -> None:
    pipeline = Pipeline(TracingSettings(endpoint=taken.url))
    taken.fault = "rejects"
    end(pipeline, 3)
    assert asyncio.run(pipeline.close(60)) == 0


@pytest.mark.usefixtures("hasty")
def test_a_collector_that_comes_late_gets_what_ends_from_then_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    pipeline = Pipeline(TracingSettings(endpoint=f"http://127.0.0.1:{port}/v1/traces"))
    end(pipeline, 1, "early")
    pipeline.provider.force_flush()
    with collector(port) as taken:
        until_taken(pipeline)
        asyncio.run(pipeline.close(60))
        assert {span.name for span in taken.spans} == {"late"}


def test_what_finds_no_room_is_counted_and_the_latest_are_kept(
    taken: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MAX_QUEUE_SIZE", 20), ("MAX_EXPORT_BATCH_SIZE", 10), ("SCHEDULE_DELAY", 10)):
        monkeypatch.setenv(f"OTEL_BSP_{name}", str(value))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "60")
    pipeline = Pipeline(TracingSettings(endpoint=taken.url))
    taken.fault = "hangs"
    end(pipeline, 1, "first")
    deadline = time.monotonic() + LIMIT
    while pipeline.waiting:  # until the thread has it in hand
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for number in range(50):
        end(pipeline, 1, str(number))
    assert (pipeline.waiting, pipeline.counts()["dropped"]) == (20, 30)
    taken.fault = ""
    taken.released.set()
    assert asyncio.run(pipeline.close(60)) == 30
    assert [span.name for span in taken.spans] == ["first", *(str(number) for number in range(30, 50))]


def test_probes_and_figures_tell_what_becomes_of_spans(
    taken: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    tables = config(tracing={"endpoint": taken.url}, metrics={"directory": str(tmp_path)})
    with Client(config=tables) as client:
        plugin: Any = next(guest.plugin for guest in client.house.guests if guest.name == "tracing")

        def told() -> dict[str, float]:
            page = client.get("/api/metrics").body.decode()
            lines = [line.rpartition(" ") for line in page.splitlines() if "tracing" in line and line[0] != "#"]
            return {name: float(value) for name, _, value in lines}

        client.get("/")
        assert told()['narthex_queue_length{queue="tracing"}'] == 1  # it is asked before its own span has ended
        taken.fault = "500"
        plugin._pipeline.provider.force_flush()
        assert plugin.health().status == "warn"
        assert plugin.health().status == "pass"
        failed = told()['narthex_tracing_spans_total{plugin="tracing",result="failed"}']
        assert failed == 2
        taken.fault = ""
