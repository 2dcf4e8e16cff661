"""The same spans as opentelemetry-instrumentation-asgi makes, straight on the SDK."""

from collections.abc import Callable
from time import time_ns
from typing import Any, ClassVar, Final, cast

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
from narthex_plugins.tracing.propagation import only_w3c
from narthex_plugins.tracing.spans import CURRENT, ServerSpan, Spans

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
    """One span an exchange, once there are spans to be had; until then, and on quiet paths, nothing.

    Args:
        app: what it stands in front of.
        collector: gives the attributes.
        subject: whether spans name the subject.

    Attributes:
        captured: header fields that the environment wants on spans.
        answers: puts the trace on an answer, where a propagator for answers has been set.
    """

    kind: ClassVar[type[ServerSpan]] = ServerSpan

    def __init__(self, app: ASGIApp, collector: Collector, *, subject: bool) -> None:
        self._app = app
        self.subject = subject
        self.collector = collector
        self.captured = Captured()
        self.answers = _on_answers()
        self._spans: Spans | None = None
        self._extract = get_global_textmap().extract
        self._w3c = only_w3c()

    def use(self, spans: Spans | None) -> None:
        """Make spans from now on; with None, make none."""
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve one exchange."""
        exchange, spans = current_exchange(), self._spans
        if spans is None or exchange is None or exchange.plan.quiet:
            return await self._app(scope, receive, send)
        kind, outer = SpanKind.SERVER, contexts.get_current()
        if outer and not is_http_instrumentation_enabled():
            return await self._app(scope, receive, send)
        # A wrapper before this one may have made another scope of it.
        headers = exchange.headers if exchange.app_scope is scope else Headers(scope["headers"])
        if outer and get_current_span(outer) is not INVALID_SPAN:
            kind = SpanKind.INTERNAL
        else:
            outer = self._extracted(headers)
        span = spans.start(span_name(scope), outer, kind, lambda: self.collector.of(scope, headers))
        exchange.trace_id = f"{span.get_span_context().trace_id:032x}"
        context = set_span_in_context(span, outer) if outer else Context({CURRENT: span})
        if not span.is_recording():
            return await self._untold(context, span, scope, receive, send)
        if kind is SpanKind.SERVER:
            self.captured.request(scope, span)
        told = _Telling(self, exchange, span, send)
        token = contexts.attach(context)
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

    async def _untold(self, context: Context, span: Span, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve an exchange of a trace that is not kept; the app's own spans, and those of others, are to know it."""
        answers = self.answers
        if answers is not None:

            async def put(message: Message) -> None:
                if kind_of(message) in STARTS:
                    answers(message, span)
                await plain(message)

            plain, send = send, put
        token = contexts.attach(context)
        try:
            return await self._app(scope, receive, send)
        finally:
            contexts.detach(token)

    def _extracted(self, headers: Headers) -> Context:
        """What the caller says about the trace it belongs to."""
        if self._w3c and headers.first(b"traceparent") is None and headers.first(b"baggage") is None:
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
    """Reads off the app's messages what its span has to say."""

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
        if kind == "http.response.body":
            await self._send(message)
            if not message.get("more_body", False):
                self.ended = self.ended or time_ns()
        elif kind in STARTS:
            self._begin(kind, message)
            await self._send(message)
            if not self.described:
                self.described = True
                describe(self._span, self._exchange, subject=self._engine.subject)
        else:
            if kind == "websocket.send":
                self._status(200)
            await self._send(message)

    def _begin(self, kind: str | None, message: Message) -> None:
        engine, span = self._engine, self._span
        if kind == "http.response.start" and message.get("status"):
            self._status(message["status"])
        if engine.captured.of_responses and span.is_recording():
            engine.captured.response(message, span)
        if engine.answers is not None:
            engine.answers(message, span)

    def _status(self, status: Any) -> None:
        span = self._span
        if not span.is_recording():
            return
        attributes: dict[str, Any] = {}
        failed = self._engine.collector.status(status, attributes)
        if isinstance(span, ServerSpan):
            span.put(attributes)
        else:
            span.set_attributes(attributes)
        if failed:
            span.set_status(Status(StatusCode.ERROR))
