"""The way to the collector: redacted, counted, and never waited for by a request."""

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from narthex.detectors import Redactor
from narthex.errors import ConfigError
from narthex.secrets import Secret
from narthex_plugins.tracing import exporting
from narthex_plugins.tracing.exporting import Delivery, Pipeline
from narthex_plugins.tracing.redacting import Remembering, redacted
from narthex_plugins.tracing.settings import TracingSettings
from tests.plugins.tracing.collector import attributes, collector

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def ended(name: str = "GET /", **given: Any) -> ReadableSpan:
    """One span that has ended, with these attributes; `error` is recorded on it."""
    error = given.pop("error", None)
    span = TracerProvider().get_tracer("t").start_span(name, attributes=given.pop("attributes", given))
    if error is not None:
        span.record_exception(error)
        span.set_status(trace.Status(trace.StatusCode.ERROR, str(error)))
    span.end()
    assert isinstance(span, ReadableSpan)
    return span


@pytest.mark.parametrize(
    "given",
    [
        {"http.url": f"http://shop/?token={TOKEN}"},
        {"http.target": f"/reset/{TOKEN}"},
        {"url.query": "access_token=s3cr3t-and-long&a=b"},
        {"url.query": f"x={TOKEN}"},
        {"http.request.header.authorization": [f"Bearer {TOKEN}"]},
        {"http.request.header.x_api_key": ["AbCdEf0123456789AbCdEf"]},
        {"http.request.header.cookie": [f"session={TOKEN}"]},
        {"app.note": f"called with {TOKEN}"},
        {"db.password": "hunter2hunter2"},
        {"app.request": {"inner": {"password": "hunter2hunter2"}}},
        {"app.words": ["fine", {"api_key": "AbCdEf0123456789AbCdEf"}]},
        {"app.raw": f"token={TOKEN}".encode()},
    ],
    ids=str,
)
def test_secrets_leave_no_attribute(given: dict[str, Any]) -> None:
    clean = redacted(ended(attributes=given), Redactor())
    assert "redacted" in repr(dict(clean.attributes or {}))
    for secret in (TOKEN, "s3cr3t-and-long", "AbCdEf0123456789AbCdEf", "hunter2hunter2"):
        assert secret not in repr(dict(clean.attributes or {}))


def test_secrets_leave_no_exception_status_or_name() -> None:
    span = ended(f"GET /reset/{TOKEN}", error=ValueError(f"cannot read {TOKEN}"))
    clean = redacted(span, Redactor())
    assert TOKEN in repr((span.name, span.status.description, [dict(one.attributes or {}) for one in span.events]))
    assert TOKEN not in repr(
        (clean.name, clean.status.description, [dict(one.attributes or {}) for one in clean.events])
    )
    assert clean.context == span.context
    assert (clean.start_time, clean.end_time) == (span.start_time, span.end_time)
    assert clean.events[0].timestamp == span.events[0].timestamp


def test_secrets_leave_no_link_and_no_name_of_an_event() -> None:
    span: Any = TracerProvider().get_tracer("t").start_span("one")
    span.add_link(trace.SpanContext(1, 2, is_remote=True), {"api_key": "AbCdEf0123456789AbCdEf"})
    span.add_event(f"sent {TOKEN}", {"to": "alice"})
    span.end()
    clean = redacted(span, Redactor())
    assert clean.links[0].context == span.links[0].context
    assert dict(clean.links[0].attributes or {}) == {"api_key": "[redacted]"}
    assert (TOKEN in clean.events[0].name, dict(clean.events[0].attributes or {})) == (False, {"to": "alice"})


def test_a_span_without_secrets_is_left_as_it_is() -> None:
    attributes = {"http.url": "http://shop/orders/7?page=2", "words": ["a", "b"], "raw": b"\xff", "inner": {"a": [1]}}
    span = ended(attributes=attributes)
    assert redacted(span, Remembering()) is span


def test_half_a_character_takes_no_other_span_down_with_it() -> None:
    """JSON may bring "\\ud800" into an exception; no UTF-8 can be made of it, and the library gives the batch up."""
    with collector() as taken:
        pipeline = Pipeline(TracingSettings(endpoint=taken.url))
        tracer = pipeline.provider.get_tracer("t")
        tracer.start_span("before").end()
        span: Any = tracer.start_span("GET /\ud800", attributes={"said": "\ud800" * 300})
        span.record_exception(KeyError("\ud800"))
        span.add_event("\ud800")
        span.set_status(trace.Status(trace.StatusCode.ERROR, "KeyError: '\ud800'"))
        span.end()
        assert asyncio.run(pipeline.close(60.0)) == 0
    assert [one.name for one in taken.spans] == ["before", "GET /?"]
    assert taken.spans[1].status.message == "KeyError: '?'"
    assert attributes(taken.spans[1])["said"] == "?" * 300


class Refusing(SpanExporter):
    """A collector that takes nothing."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if len(spans) > 1:
            raise OSError("no")
        return SpanExportResult.FAILURE


def test_what_becomes_of_spans_is_counted() -> None:
    good, bad = Delivery(InMemorySpanExporter()), Delivery(Refusing())
    good.export([ended(), ended()])
    bad.export([ended()])
    with pytest.raises(OSError, match="no"):
        bad.export([ended(), ended()])
    assert (good.exported, good.failed, bad.exported, bad.failed) == (2, 0, 0, 3)


def test_spans_reach_a_collector_with_service_and_key() -> None:
    with collector() as taken:
        pipeline = Pipeline(TracingSettings(endpoint=taken.url, service="shop", headers={"x-key": Secret("k-1")}))
        pipeline.provider.get_tracer("t").start_span("one", attributes={"a": 1}).end()
        assert asyncio.run(pipeline.close(10.0)) == 0
        assert [(span.name, attributes(span)) for span in taken.spans] == [("one", {"a": 1})]
        assert taken.services == ["shop"]
        assert taken.fields[0]["x-key"] == "k-1"
        assert pipeline.counts() == {"ended": 1, "exported": 1, "failed": 0, "dropped": 0}


def test_the_standard_variables_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as taken:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", taken.url.removesuffix("/v1/traces"))
        monkeypatch.setenv("OTEL_SERVICE_NAME", "warehouse")
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
        silent = Pipeline(TracingSettings())
        silent.provider.get_tracer("t").start_span("none").end()
        assert asyncio.run(silent.close(10.0)) == 0
        monkeypatch.delenv("OTEL_TRACES_SAMPLER")
        pipeline = Pipeline(TracingSettings())
        pipeline.provider.get_tracer("t").start_span("one").end()
        assert asyncio.run(pipeline.close(10.0)) == 0
        assert ([span.name for span in taken.spans], taken.services) == (["one"], ["warehouse"])
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
        assert Pipeline(TracingSettings()).counts()["ended"] == 0


def test_a_share_of_traces_is_kept_and_a_caller_that_has_decided_is_followed() -> None:
    pipeline = Pipeline(TracingSettings(sample=0.25, exporter="none"))
    tracer = pipeline.provider.get_tracer("t")
    kept = sum(tracer.start_span("one").is_recording() for _ in range(2000))
    assert 350 < kept < 650
    context = trace.SpanContext(1, 1, is_remote=True, trace_flags=trace.TraceFlags(1))
    parent = trace.set_span_in_context(trace.NonRecordingSpan(context))
    assert all(tracer.start_span("one", parent).is_recording() for _ in range(50))


def test_a_collector_that_does_not_answer_holds_nobody_longer_than_is_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # accepts, and says nothing
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1/traces"
        pipeline = Pipeline(TracingSettings(endpoint=address))
        tracer = pipeline.provider.get_tracer("t")
        for _ in range(10_000):  # five times what fits into the queue
            tracer.start_span("one").end()

        async def close() -> int:
            async with asyncio.timeout(20):  # the library would wait for thirty seconds
                return await pipeline.close(0.5)

        assert asyncio.run(close()) == 10_000


def test_an_export_that_is_stuck_is_given_up_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()

    class Stuck(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SpanExportResult.FAILURE if given_up.wait(30) else SpanExportResult.SUCCESS

        def shutdown(self) -> None:
            given_up.set()

    monkeypatch.setattr(exporting, "_exporter", lambda settings: Stuck())
    pipeline = Pipeline(TracingSettings())
    pipeline.provider.get_tracer("t").start_span("one").end()
    assert asyncio.run(pipeline.close(0.1)) == 1
    assert given_up.is_set()


def test_an_exporter_that_is_not_installed_is_named_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match="no exporter 'zipkin'") as caught:
        Pipeline(TracingSettings(exporter="zipkin"))
    assert "otlp" in caught.value.hint
