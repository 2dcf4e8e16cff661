"""From ended spans to the collector, in a thread of its own: batched, bounded, redacted, counted.

A request only appends to a bounded queue. Where the collector is slow or away the queue fills, and what does not fit
is lost: never a request.
"""

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Final, cast

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Status
from opentelemetry.util.types import AttributeValue

from narthex.detectors import MASK, Names, Redactor, Weight
from narthex.errors import ConfigError
from narthex_plugins.tracing.settings import TracingSettings

_HARMLESS: Final = frozenset(
    {
        *(
            "http.method",
            "http.scheme",
            "http.host",
            "http.flavor",
            "http.server_name",
            "http.route",
            "http.user_agent",
        ),
        *("http.request.method", "http.request.method_original", "url.scheme", "server.address", "user.id"),
        *("network.protocol.version", "user_agent.original", "user_agent.synthetic.type", "net.peer.ip"),
        *(
            "http.status_code",
            "http.response.status_code",
            "net.host.port",
            "net.peer.port",
            "server.port",
            "client.port",
        ),
        *("client.address", "error.type", "asgi.event.type", "narthex.refusal.code", "narthex.refusal.plugin"),
    }
)
"""What the house itself puts there; the paths, queries and exceptions among it are not."""
_SHORT: Final = 200  # characters
_HEADER: Final = ("http.request.header.", "http.response.header.")


class Remembering(Redactor):
    """A redactor that remembers short texts: paths and names repeat, and looking at one costs up to 5 µs."""

    def __init__(self) -> None:
        super().__init__()
        self._short_text = lru_cache(maxsize=2048)(super().text)

    def text(self, text: str, known: Sequence[str] = ()) -> str:
        """The text without secrets."""
        return self._short_text(text) if len(text) < _SHORT and not known else super().text(text, known)


class Delivery(SpanExporter):
    """An exporter that redacts what another one sends, and counts.

    Attributes:
        exported: spans that the collector took.
        failed: spans that it did not.
    """

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._redactor = Remembering()
        self.exported = 0
        self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send; called by the processor's thread, one batch at a time."""
        result = SpanExportResult.FAILURE
        try:
            result = self._inner.export([redacted(span, self._redactor) for span in spans])
        finally:
            if result is SpanExportResult.SUCCESS:
                self.exported += len(spans)
            else:
                self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        """Give up what is being sent."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits in the exporter itself."""
        return self._inner.force_flush(timeout_millis)


class Queue(BatchSpanProcessor):
    """The library's own queue, counting what it was given."""

    ended = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Take an ended span."""
        context = span.context
        if context is not None and context.trace_flags.sampled:
            self.ended += 1
            super().on_end(span)


class Pipeline:
    """A tracer provider of its own, and the way to the collector.

    Raises:
        ConfigError: no such exporter is installed.
    """

    def __init__(self, settings: TracingSettings) -> None:
        exporter = _exporter(settings)
        self.provider = TracerProvider(
            sampler=None if settings.sample is None else ParentBased(TraceIdRatioBased(settings.sample)),
            resource=Resource.create({SERVICE_NAME: settings.service} if settings.service else {}),
            shutdown_on_exit=False,
        )
        self._delivery = None if exporter is None else Delivery(exporter)
        self._queue: Queue | None = None
        if self._delivery is not None:
            self._queue = Queue(self._delivery)
            self.provider.add_span_processor(self._queue)

    def counts(self) -> Mapping[str, int]:
        """Spans that ended, and what became of them; the rest waits or was lost."""
        if self._delivery is None or self._queue is None:
            return {"ended": 0, "exported": 0, "failed": 0}
        return {"ended": self._queue.ended, "exported": self._delivery.exported, "failed": self._delivery.failed}

    async def close(self, limit: float) -> int:
        """Send what waits, for `limit` seconds at most, and let go of it all.

        Returns:
            How many spans were not delivered.
        """
        ended = threading.Thread(target=self.provider.shutdown, name="narthex tracing stops", daemon=True)
        ended.start()
        await asyncio.to_thread(ended.join, limit)
        if ended.is_alive() and self._delivery is not None:
            self._delivery.shutdown()  # ends a retry that waits for a collector
        counts = self.counts()
        return counts["ended"] - counts["exported"]


def register(provider: TracerProvider) -> bool:
    """Make it the process's own, unless there is one; whether it is now."""
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return False
    trace.set_tracer_provider(provider)
    return trace.get_tracer_provider() is provider


def _exporter(settings: TracingSettings) -> SpanExporter | None:
    """The exporter that the settings, or else the environment, name; made of the environment's variables."""
    named = settings.exporter or os.environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    if named == "none":
        return None
    if named in ("otlp", "otlp_proto_http"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  brings requests, protobuf
            OTLPSpanExporter,
        )

        headers = {name: value.reveal() for name, value in settings.headers.items()}
        return OTLPSpanExporter(endpoint=settings.endpoint, headers=headers or None)
    found = {point.name: point for point in entry_points(group="opentelemetry_traces_exporter")}
    if named not in found:
        known = ", ".join(sorted({"otlp", "none", *found}))
        raise ConfigError(f"no exporter {named!r} is installed", hint=f"there are {known}")
    made: SpanExporter = found[named].load()()
    return made


def redacted(span: ReadableSpan, redactor: Redactor) -> ReadableSpan:
    """The span without the secrets in its name, attributes, events and status; itself where it has none."""
    name = redactor.text(span.name)
    attributes = _clean(span.attributes or {}, redactor)
    events = [_clean_event(event, redactor) for event in span.events]
    described = span.status.description
    status = span.status if described is None else Status(span.status.status_code, redactor.text(described))
    if name == span.name and attributes is None and status.description == described and not any(events):
        return span
    return ReadableSpan(
        name=name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes if attributes is None else attributes,
        events=[new or event for new, event in zip(events, span.events, strict=True)],
        links=span.links,
        kind=span.kind,
        status=status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _clean_event(event: Event, redactor: Redactor) -> Event | None:
    attributes = _clean(event.attributes or {}, redactor)
    return None if attributes is None else Event(event.name, attributes, event.timestamp)


def _clean(attributes: Mapping[str, AttributeValue], redactor: Redactor) -> dict[str, AttributeValue] | None:
    """The attributes without secrets; None where they have none."""
    changed: dict[str, AttributeValue] = {}
    for key in attributes:
        if key in _HARMLESS:
            continue
        value = attributes[key]
        if isinstance(value, str):
            new = redactor.text(f"?{value}")[1:] if key == "url.query" else _value(key, value, redactor)
            if new != value:
                changed[key] = new
        elif isinstance(value, Sequence) and not isinstance(value, bytes):
            several = [_value(key, one, redactor) if isinstance(one, str) else one for one in value]
            if several != list(value):
                changed[key] = cast("AttributeValue", several)
    return {**attributes, **changed} if changed else None


def _value(key: str, value: str, redactor: Redactor) -> str:
    """One value: hidden where its name announces a secret, else without those that its form gives away."""
    return MASK if value and _announces(key) else redactor.text(value)


@lru_cache(maxsize=1024)
def _announces(key: str) -> bool:
    """Whether the name announces a secret: of a header's attribute the header, else the last word."""
    for prefix in _HEADER:
        if key.startswith(prefix):
            return _names.weight(key[len(prefix) :].replace("_", "-")) > Weight.MAYBE
    return _names.weight(key.rpartition(".")[2]) > Weight.MAYBE


_names: Final = Names()
