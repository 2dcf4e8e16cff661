"""From ended spans to the collector, in a thread of its own: batched, bounded, redacted, counted.

A request only appends to a bounded queue. Where the collector is slow or away the queue fills, and what does not fit
is lost: never a request.
"""

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from narthex.errors import ConfigError
from narthex_plugins.tracing.alerting import RESULTS
from narthex_plugins.tracing.redacting import TURN, Remembering, redacted
from narthex_plugins.tracing.settings import TracingSettings
from narthex_plugins.tracing.spans import Provider, ServerSpan, Spans


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
            result = self._inner.export(self._clean(spans))
        finally:
            if result is SpanExportResult.SUCCESS:
                self.exported += len(spans)
            else:
                self.failed += len(spans)
        return result

    def _clean(self, spans: Sequence[ReadableSpan]) -> list[ReadableSpan]:
        clean: list[ReadableSpan] = []
        for number, span in enumerate(spans, 1):
            clean.append(redacted(span, self._redactor))
            if number % TURN == 0:
                time.sleep(0)
        return clean

    def shutdown(self) -> None:
        """Give up what is being sent."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits in the exporter itself."""
        return self._inner.force_flush(timeout_millis)


class Queue(BatchSpanProcessor):
    """The library's own queue, counting what it was given.

    Attributes:
        ended: spans it was given.
        dropped: spans it had no room for any more, each in the place of an older one.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        super().__init__(exporter)
        inner: Any = self._batch_processor
        self._line: deque[ReadableSpan] = inner._queue  # noqa: SLF001  it tells nobody how long it is
        self.ended = self.dropped = 0

    def __len__(self) -> int:
        return len(self._line)

    def on_end(self, span: ReadableSpan) -> None:
        """Take an ended span, if its trace is kept."""
        context = span.context
        if context is not None and context.trace_flags.sampled:
            self.take(span)

    def take(self, span: ReadableSpan) -> None:
        """Take an ended span."""
        self.ended += 1
        if len(self._line) == self._line.maxlen:
            self.dropped += 1
        super().on_end(span)


class Pipeline:
    """A tracer provider of its own, and the way to the collector.

    Raises:
        ConfigError: no such exporter is installed.
    """

    def __init__(self, settings: TracingSettings) -> None:
        exporter = _exporter(settings)
        self.provider = Provider(
            sampler=None if settings.sample is None else ParentBased(TraceIdRatioBased(settings.sample)),
            resource=Resource.create({SERVICE_NAME: settings.service} if settings.service else {}),
            shutdown_on_exit=False,
        )
        self._delivery = None if exporter is None else Delivery(exporter)
        self._queue: Queue | None = None
        if self._delivery is not None:
            self._queue = Queue(self._delivery)
            self.provider.add_span_processor(self._queue)

    def spans(self, schema: str, kind: type[ServerSpan]) -> Spans:
        """What makes spans of that class, of names that follow that schema."""
        tracer = self.provider.get_tracer("narthex", schema_url=schema)
        return Spans(self.provider, tracer, None if self._queue is None else self._queue.take, kind)

    def counts(self) -> Mapping[str, int]:
        """Spans that ended, and what became of them; the rest waits, or is on its way."""
        queue, delivery = self._queue, self._delivery
        if delivery is None or queue is None:
            return dict.fromkeys(RESULTS, 0)
        return dict(zip(RESULTS, (queue.ended, delivery.exported, delivery.failed, queue.dropped), strict=True))

    @property
    def waiting(self) -> int:
        """Spans in the queue."""
        return 0 if self._queue is None else len(self._queue)

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


def register(provider: Provider) -> bool:
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
        from narthex_plugins.tracing.encoding import exporter  # noqa: PLC0415  brings requests, protobuf

        headers = {name: value.reveal() for name, value in settings.headers.items()}
        return exporter(endpoint=settings.endpoint, headers=headers or None)
    found = {point.name: point for point in entry_points(group="opentelemetry_traces_exporter")}
    if named not in found:
        known = ", ".join(sorted({"otlp", "none", *found}))
        raise ConfigError(f"no exporter {named!r} is installed", hint=f"there are {known}")
    made: SpanExporter = found[named].load()()
    return made
