"""Spans made here are the SDK's own in all that anybody can see of them."""

import json
import os
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, sampling
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from narthex_plugins.tracing.exporting import Queue
from narthex_plugins.tracing.spans import Provider, ServerSpan, Spans
from tests.plugins.tracing.traced import told

STATE = trace.TraceState([("vendor", "1")])
LOW, HIGH = 1 << 64, (1 << 128) - 1  # a trace that every share keeps, and one that only all of them keeps
SAMPLERS = {
    "by default": None,
    "always": sampling.ALWAYS_ON,
    "never": sampling.ALWAYS_OFF,
    "share": sampling.TraceIdRatioBased(0.5),
    "share, by parent": sampling.ParentBased(sampling.TraceIdRatioBased(0.5)),
    "share, by the environment": sampling.ParentBasedTraceIdRatio(0.25),
    "never, by parent": sampling.DEFAULT_OFF,
    "odd": sampling.ParentBased(sampling.ALWAYS_ON, remote_parent_not_sampled=sampling.ALWAYS_ON),
}
PLAIN = {"by default", "always", "share", "share, by parent", "share, by the environment"}


class Desk:
    """A provider with our queue, and what has arrived."""

    def __init__(self, sampler: sampling.Sampler | None = None) -> None:
        self.memory = InMemorySpanExporter()
        self.provider = Provider(sampler=sampler, shutdown_on_exit=False)
        self.queue = Queue(self.memory)
        self.provider.add_span_processor(self.queue)
        self.tracer: Any = self.provider.get_tracer("t")
        self.spans = Spans(self.provider, self.tracer, self.queue.take)

    def start(self, **attributes: Any) -> Any:
        return self.spans.start("one", Context(), SpanKind.SERVER, attributes.copy)

    def arrived(self) -> list[ReadableSpan]:
        self.provider.force_flush()
        spans = list(self.memory.get_finished_spans())
        self.memory.clear()
        return spans


def within(trace_id: int, flags: int, *, remote: bool = True) -> Context:
    parent = SpanContext(trace_id, 7, is_remote=remote, trace_flags=TraceFlags(flags), trace_state=STATE)
    return trace.set_span_in_context(trace.NonRecordingSpan(parent))


@pytest.mark.parametrize("named", SAMPLERS)
def test_every_sampler_is_followed_as_the_sdk_follows_it(named: str) -> None:
    desk = Desk(SAMPLERS[named])
    assert desk.spans.plain is (named in PLAIN)
    parents = [
        within(trace_id, flags, remote=remote)
        for trace_id in (LOW, HIGH)
        for flags in range(4)
        for remote in (True, False)
    ]
    for context in [*parents, trace.set_span_in_context(trace.INVALID_SPAN)]:
        given = {"http.method": "GET", "http.status_code": 200}
        mine = desk.spans.start("one", context, SpanKind.SERVER, given.copy)
        sdks = desk.tracer.start_span("one", context, SpanKind.SERVER, given)
        own, other = mine.get_span_context(), sdks.get_span_context()
        lots = "share" in named and context not in parents  # each draws its own
        if not lots:
            assert mine.is_recording() is sdks.is_recording()
            assert own.trace_flags == other.trace_flags
        assert (own.trace_flags & 2, own.trace_state) == (other.trace_flags & 2, other.trace_state)
        assert (own.is_remote, own.is_valid) == (False, True)
        assert (own.trace_id == other.trace_id) is (context in parents)
        if mine.is_recording() and sdks.is_recording():
            mine.end()
            sdks.end()
            first, second = desk.arrived()
            assert told(first) == told(second)
            assert (first.resource, first.instrumentation_scope) == (second.resource, second.instrumentation_scope)


def test_a_share_of_roots_is_kept_and_all_have_ids_of_their_own() -> None:
    desk = Desk(sampling.ParentBased(sampling.TraceIdRatioBased(0.25)))
    started = [desk.start() for _ in range(2000)]
    assert 350 < sum(span.is_recording() for span in started) < 650
    assert all((span.get_span_context().trace_flags & 1) == span.is_recording() for span in started)
    for part in ("trace_id", "span_id"):
        assert len({getattr(span.get_span_context(), part) for span in started}) == 2000


def everything(span: Any) -> None:
    """All that an app can do with a span."""
    span.set_attribute("number", 7)
    span.set_attributes({"words": ["a", "b"], "inner": {"a": 1}, "": 1})
    span.set_attribute("http.method", "POST")
    span.add_event("paid", {"sum": 3})
    span.add_link(SpanContext(3, 4, is_remote=True), {"why": "because"})
    span.record_exception(ValueError("no"))
    span.set_status(trace.Status(trace.StatusCode.ERROR, "no"))
    span.set_status(trace.StatusCode.OK)
    span.set_status(trace.StatusCode.ERROR, "no more")
    span.update_name("two")
    with trace.use_span(span):
        trace.get_current_span().set_attribute("here", True)
    for number in range(200):  # more than a span holds
        span.add_event(str(number))


def whole(span: ReadableSpan) -> dict[str, Any]:
    document = json.loads(span.to_json())
    for key in ("context", "start_time", "end_time"):
        del document[key]
    for event in document["events"]:
        del event["timestamp"]
        event["attributes"].pop("exception.stacktrace", None)
    return {**document, "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links)}


def test_whatever_the_app_does_with_a_span_comes_to_the_same() -> None:
    desk = Desk()
    for do in (everything, lambda span: None, lambda span: span.set_attributes({str(n): n for n in range(300)})):
        for span in (
            desk.start(**{"http.method": "GET"}),
            desk.tracer.start_span("one", Context(), SpanKind.SERVER, {"http.method": "GET"}),
        ):
            do(span)
            span.end(span.start_time + 1000)
        mine, sdks = desk.arrived()
        assert isinstance(mine, ServerSpan)
        assert whole(mine) == whole(sdks)


def test_what_we_put_on_a_full_span_takes_the_place_of_the_oldest() -> None:
    desk = Desk()
    span = desk.start(first=1)
    span.set_attributes({str(number): number for number in range(127)})
    span.put({"http.status_code": 200})
    assert len(span.attributes) == 128
    assert ("first" in span.attributes, span.attributes["http.status_code"]) == (False, 200)
    assert span.dropped_attributes == 1


def test_a_span_that_has_ended_changes_no_more(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    span = desk.start(a=1)
    span.end(12)
    span.end(99)
    for change in (everything, lambda one: one.put({"b": 2})):
        change(span)
    (arrived,) = desk.arrived()
    assert (arrived.name, arrived.end_time, dict(arrived.attributes or {}), arrived.events) == ("one", 12, {"a": 1}, ())
    assert "Calling end() on an ended span." in caplog.text


class Heard(SpanProcessor):
    """A processor of the app's own."""

    def __init__(self) -> None:
        self.started: list[Span] = []
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.started.append(span)
        span.set_attribute("heard", True)

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


def test_a_processor_of_the_apps_own_is_told_of_every_span() -> None:
    desk, heard = Desk(), Heard()
    under_way = desk.start()
    desk.provider.add_span_processor(heard)
    later = desk.start()
    under_way.end()
    later.end()
    assert heard.started == [later]
    assert [span.context for span in heard.ended] == [under_way.context, later.context]
    assert [(span.attributes or {}).get("heard") for span in desk.arrived()] == [None, True]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "3"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "4"),
        ("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true"),
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_TRACES_SAMPLER", "always_off"),
    ],
)
def test_what_the_environment_wants_otherwise_is_left_to_the_sdk(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    desk = Desk()
    assert not desk.spans.plain
    desk.start(a="12345", b=1, c=2, d=3).end()
    arrived = [dict(span.attributes or {}) for span in desk.arrived()]
    assert arrived in (
        [],
        [{"b": 1, "c": 2, "d": 3}],
        [{"a": "1234", "b": 1, "c": 2, "d": 3}],
        [{"a": "12345", "b": 1, "c": 2, "d": 3}],
    )


def test_a_release_of_the_sdk_whose_spans_hold_more_makes_them_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Callable[..., None] = Span.__init__

    def later(self: Any, *args: Any, **more: Any) -> None:
        made(self, *args, **more)
        self._of_a_later_release = True

    monkeypatch.setattr(Span, "__init__", later)
    desk = Desk()
    assert not desk.spans.plain
    desk.start(a=1).end()
    assert [dict(span.attributes or {}) for span in desk.arrived()] == [{"a": 1}]


def test_many_threads_lose_nothing_of_one_span() -> None:
    desk = Desk()
    span = desk.start()

    def work(number: int) -> None:
        for turn in range(10):
            span.add_event(f"{number} {turn}")
            span.set_attribute(f"{number} {turn}", turn)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    span.end()
    (arrived,) = desk.arrived()
    assert (len(arrived.events), len(arrived.attributes or {})) == (100, 100)


def test_a_forked_child_makes_ids_of_its_own() -> None:
    desk = Desk()
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside the threads of other tests
        child = os.fork()
    if not child:  # nothing here may come back to the test
        try:
            span = desk.start()
            own = "its" if span.resource is desk.provider.resource else "other"
            os.write(write, f"{span.get_span_context().trace_id:032x}{own}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(read, 64).decode()
    os.close(read)
    os.close(write)
    assert theirs[:32] != f"{desk.start().get_span_context().trace_id:032x}"
    assert theirs[32:] == "its"
