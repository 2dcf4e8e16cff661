"""The best-known packages, each alone: plain as their own pages show them, tuned as an expert would set them.

Tuned changes no feature that a user would miss: it drops per-message spans, a second look at the path,
checks that are known to hold, and verifies each token once instead of at every request.
"""

import random
from typing import Any, Literal

from benchmarks.asgi import ASGIApp
from benchmarks.candidates import candidate
from benchmarks.traffic import bare

GROUP = "Packages alone"
EXPORTER_PLAIN = "starlette-exporter, plain"
EXPORTER_TUNED = "starlette-exporter, tuned"
TRACING_TUNED = "opentelemetry-asgi, tuned"


def correlation_id(app: ASGIApp) -> ASGIApp:
    from asgi_correlation_id import CorrelationIdMiddleware

    return CorrelationIdMiddleware(app)


def correlation_id_tuned(app: ASGIApp) -> ASGIApp:
    from asgi_correlation_id import CorrelationIdMiddleware

    bits = random.Random().getrandbits
    return CorrelationIdMiddleware(
        app, update_request_header=False, transformer=None, generator=lambda: f"{bits(128):032x}"
    )


def exporter(app: ASGIApp, **options: Any) -> ASGIApp:  # the package's own keywords
    from starlette_exporter import PrometheusMiddleware

    # By default it counts nothing for an app without Starlette's router.
    return PrometheusMiddleware(app, **{"filter_unhandled_paths": False, **options})


def exporter_tuned(app: ASGIApp) -> ASGIApp:
    return exporter(app, prefix="tuned", group_paths=False)


def tracing(app: ASGIApp, exclude_spans: list[Literal["receive", "send"]] | None = None) -> ASGIApp:
    """Trace every request into a batch processor."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(dropping(), max_queue_size=1 << 14))
    return OpenTelemetryMiddleware(app, tracer_provider=provider, exclude_spans=exclude_spans)


def dropping() -> Any:
    """Give an exporter that drops the spans: no network on the clock."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Drop(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    return Drop()


def tracing_tuned(app: ASGIApp) -> ASGIApp:
    return tracing(app, ["receive", "send"])


@candidate("asgi-correlation-id, plain", group=GROUP)
def _correlation_id_row() -> ASGIApp:
    return correlation_id(bare)


@candidate("asgi-correlation-id, tuned", group=GROUP)
def _correlation_id_tuned_row() -> ASGIApp:
    return correlation_id_tuned(bare)


@candidate(EXPORTER_PLAIN, group=GROUP)
def _exporter_row() -> ASGIApp:
    return exporter(bare)


@candidate(EXPORTER_TUNED, group=GROUP)
def _exporter_tuned_row() -> ASGIApp:
    return exporter_tuned(bare)


@candidate("opentelemetry-asgi, plain", group=GROUP, background=True)
def _tracing_row() -> ASGIApp:
    return tracing(bare)


@candidate(TRACING_TUNED, group=GROUP, background=True)
def _tracing_tuned_row() -> ASGIApp:
    return tracing_tuned(bare)
