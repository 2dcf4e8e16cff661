"""What is sent says what the library's own encoding says, to the last field."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState

from narthex_plugins.tracing import encoding
from narthex_plugins.tracing.encoding import encoded
from tests.plugins.tracing.collector import collector
from tests.plugins.tracing.test_spans import Desk, everything, within

DESK = Desk()
VALUES = st.one_of(
    st.text(max_size=300), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(), st.lists(st.text(), max_size=3)
)
ATTRIBUTES = st.dictionaries(st.text(min_size=1, max_size=8), VALUES, max_size=6)
PARENTS = [within(1, 1), within(2, 3, remote=False), trace.set_span_in_context(trace.INVALID_SPAN)]


def read(content: bytes) -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
    message.ParseFromString(content)
    return message


def made(attributes: dict[str, Any], kind: SpanKind = SpanKind.SERVER, parent: int = 2, do: Any = None) -> Any:
    span: Any = DESK.spans.start("GET /orders/{number}", PARENTS[parent], kind, attributes.copy)
    if do is not None:
        do(span)
    span.end()
    return span


def same(spans: Sequence[ReadableSpan]) -> None:
    # As bytes: numbers that are none are never alike.
    theirs = encode_spans(spans).SerializeToString(deterministic=True)
    assert read(encoded(spans)).SerializeToString(deterministic=True) == theirs


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(ATTRIBUTES, st.sampled_from(SpanKind), st.integers(0, 2)), min_size=1, max_size=4))
def test_any_spans_are_encoded_as_the_library_encodes_them(drawn: list[tuple[dict[str, Any], SpanKind, int]]) -> None:
    same([made(*one) for one in drawn])


@pytest.mark.parametrize(
    "do",
    [
        everything,
        lambda span: span.set_status(trace.StatusCode.OK),
        lambda span: span.set_status(trace.StatusCode.ERROR),
        lambda span: span.set_status(trace.StatusCode.ERROR, "no"),
        lambda span: span.add_link(
            SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState())
        ),
        lambda span: span.set_attributes({str(number): number for number in range(300)}),
        lambda span: span.set_attributes({"yes": True, "one": 1, "real": 1.0}),
        lambda span: span.set_attributes({"large": 1 << 63, "least": -(1 << 63), "half": "\ud800"}),
    ],
)
def test_whatever_is_on_a_span_is_sent(do: Callable[[Any], None]) -> None:
    same([made({"http.method": "GET", "one": 1}, do=do) for _ in range(3)])


def test_spans_of_several_tracers_are_sent_under_their_own_names() -> None:
    other = DESK.provider.get_tracer("app", "1.2", schema_url="https://shop.example/schema")
    apps: Any = other.start_span("charge", attributes={"sum": 3})
    apps.end()
    spans = [made({"a": 1}), apps, made({"a": 2}), *DESK.arrived()[:1]]
    same(spans)
    names = [scope.scope.name for one in read(encoded(spans)).resource_spans for scope in one.scope_spans]
    assert sorted(names) == ["app", "t"]


def test_a_long_batch_is_whole() -> None:
    same([made({"http.target": f"/orders/{number}"}) for number in range(600)])


def test_a_release_of_the_exporter_that_encodes_in_another_way_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as taken:
        mine = encoding.exporter(endpoint=taken.url)
        assert type(mine) is not trace_exporter.OTLPSpanExporter
        mine.export([made({"a": 1})])
        monkeypatch.delattr(trace_exporter, "encode_spans")
        theirs = encoding.exporter(endpoint=taken.url)
        assert type(theirs) is trace_exporter.OTLPSpanExporter
        monkeypatch.undo()
        theirs.export([made({"a": 1})])
        assert [span.name for span in taken.spans] == ["GET /orders/{number}"] * 2
        for one in (mine, theirs):
            one.shutdown()  # type: ignore[no-untyped-call]
