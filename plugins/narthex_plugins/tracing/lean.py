"""The same spans as opentelemetry-instrumentation-asgi makes, straight on the SDK."""

import os
from collections.abc import Callable
from time import time_ns
from typing import Any, Final, cast

from opentelemetry import context as contexts
from opentelemetry.context import Context
from opentelemetry.instrumentation import propagators
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled
from opentelemetry.propagate import get_global_textmap
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)

from narthex.asgi import ASGIApp, Headers, Message, Receive, Scope, Send
from narthex.context import current_exchange
from narthex.exchange import Exchange
from narthex.messages import kind_of
from narthex_plugins.tracing.attributes import Collector, span_name
from narthex_plugins.tracing.captured import Captured
from narthex_plugins.tracing.describing import STARTS, describe

_NOTHING: Final = Context()


class _Fields(Getter[Headers]):
    """Reads header fields for a propagator."""

    def get(self, carrier: Headers, key: str) -> list[str] | None:
        """Every value of the field, or None; UTF-8, as the library reads them."""
        return [value.encode("latin-1").decode("utf-8", "replace") for value in carrier.getlist(key)] or None

    def keys(self, carrier: Headers) -> list[str]:
        """Every name."""
        return list(carrier)


_fields: Final = _Fields()


class LeanEngine:
    """One span an exchange, once there is a tracer; until then, and on quiet paths, nothing.

    Args:
        app: what it stands in front of.
        collector: gives the attributes.
        subject: whether spans name the subject.

    Attributes:
        captured: header fields that the environment wants on spans.
        answers: puts the trace on an answer, where a propagator for answers has been set.
    """

    def __init__(self, app: ASGIApp, collector: Collector, *, subject: bool) -> None:
        self._app = app
        self.subject = subject
        self.collector = collector
        self.captured = Captured()
        self.answers = _on_answers()
        self._tracer: Tracer | None = None
        self._extract = get_global_textmap().extract
        # Only of the W3C's own it is known that without these fields there is nothing to extract.
        plain = os.environ.get("OTEL_PROPAGATORS", "tracecontext,baggage").replace(" ", "")
        known = set(plain.split(",")) <= {"tracecontext", "baggage", ""}
        self._carriers = ("traceparent", "baggage") if known else ()

    def use(self, tracer: Tracer | None) -> None:
        """Make spans with this tracer from now on; with none, make none."""
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve one exchange."""
        exchange, tracer = current_exchange(), self._tracer
        if tracer is None or exchange is None or exchange.plan.quiet:
            return await self._app(scope, receive, send)
        kind, outer = SpanKind.SERVER, contexts.get_current()
        if outer and not is_http_instrumentation_enabled():
            return await self._app(scope, receive, send)
        if outer and get_current_span(outer) is not INVALID_SPAN:
            kind = SpanKind.INTERNAL
        else:
            outer = self._extracted(exchange.headers)
        span = tracer.start_span(span_name(scope), outer, kind, self.collector.of(scope))
        exchange.trace_id = f"{span.get_span_context().trace_id:032x}"
        if kind is SpanKind.SERVER and span.is_recording():
            self.captured.request(scope, span)
        told = _Telling(self, exchange, span, send)
        token = contexts.attach(set_span_in_context(span, outer))
        try:
            return await self._app(scope, receive, told.send)
        except Exception as error:
            if span.is_recording():
                span.record_exception(error)
                span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
            raise
        finally:
            contexts.detach(token)
            if span.is_recording():
                if not told.described:
                    describe(span, exchange, subject=self.subject)
                span.end(told.ended)

    def _extracted(self, headers: Headers) -> Context:
        """What the caller says about the trace it belongs to."""
        if self._carriers and not any(name in headers for name in self._carriers):
            return _NOTHING
        return self._extract(headers, getter=_fields)


def _on_answers() -> Callable[[Message, Span], None] | None:
    propagator: Any = propagators.get_global_response_propagator()  # type: ignore[no-untyped-call]
    if propagator is None:
        return None
    # Hardly ever there, and the library's module is not needed otherwise.
    from opentelemetry.instrumentation.asgi import asgi_setter  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]

    inject = cast("Callable[..., None]", propagator.inject)  # pyright: ignore[reportUnknownMemberType]

    def put(message: Message, span: Span) -> None:
        inject(message, context=set_span_in_context(span, _NOTHING), setter=asgi_setter)

    return put


class _Telling:
    """What an app says, as far as its span is to know of it."""

    __slots__ = ("_engine", "_exchange", "_send", "_span", "described", "ended")

    def __init__(self, engine: LeanEngine, exchange: Exchange, span: Span, send: Send) -> None:
        self._engine = engine
        self._exchange = exchange
        self._span = span
        self._send = send
        self.described = False
        self.ended: int | None = None  # the last of the body; the framework may raise after it

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        kind = kind_of(message)
        if kind in STARTS:
            self._begin(kind, message)
            await self._send(message)
            if not self.described:
                self.described = True
                describe(self._span, self._exchange, subject=self._engine.subject)
            return
        if kind == "websocket.send":
            self._status(200)
        await self._send(message)
        if kind == "http.response.body" and not message.get("more_body", False):
            self.ended = self.ended or time_ns()

    def _begin(self, kind: str | None, message: Message) -> None:
        if kind == "http.response.start" and message.get("status"):
            self._status(message["status"])
        if self._span.is_recording():
            self._engine.captured.response(message, self._span)
        if self._engine.answers is not None:
            self._engine.answers(message, self._span)

    def _status(self, status: Any) -> None:
        span = self._span
        if not span.is_recording():
            return
        attributes: dict[str, Any] = {}
        failed = self._engine.collector.status(status, attributes)
        span.set_attributes(attributes)
        if failed:
            span.set_status(Status(StatusCode.ERROR))
