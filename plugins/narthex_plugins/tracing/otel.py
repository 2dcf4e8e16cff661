"""Spans by opentelemetry-instrumentation-asgi; what Narthex adds is added inside of it."""

from collections.abc import Sequence
from contextvars import ContextVar
from time import time_ns
from typing import Any, ClassVar, Final, cast

from opentelemetry.context import Context
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware  # pyright: ignore[reportMissingTypeStubs]
from opentelemetry.metrics import NoOpMeter
from opentelemetry.trace import NoOpTracer, Span, SpanKind, Tracer, get_current_span

from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.context import current_exchange
from narthex_plugins.tracing.captured import Captured
from narthex_plugins.tracing.describing import STARTS, describe
from narthex_plugins.tracing.propagation import only_w3c
from narthex_plugins.tracing.spans import Attributes, ServerSpan, Spans

SCOPE: Final = "opentelemetry.instrumentation.asgi"
_OWN: Final = "narthex.tracing.scope"
_READ: Final = frozenset({b"host", b"user-agent", b"traceparent", b"tracestate", b"baggage"})
Fields = Sequence[tuple[bytes, bytes]]


class Held(ServerSpan):
    """A span that stays open once its end has been told, for the exception that a framework raises after its answer.

    Starlette and FastAPI answer 500 and raise afterwards; the library ends its span with the answer.
    """

    _told: int | None = None

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one, unless it is there: the library sets each again that the span was started with, at 1 µs each."""
        if self.held.get(key, self) is not value:
            super().set_attribute(key, value)

    def end(self, end_time: int | None = None) -> None:
        """Note the time."""
        if self._told is None:
            self._told = end_time or time_ns()

    def release(self) -> None:
        """End it, as of the time that was noted."""
        super().end(self._told)


class _Patched:
    """Makes the same of a span that the SDK has made."""

    def __init__(self, span: Span) -> None:
        self._end = span.end
        self._told: int | None = None
        span.end = self.end  # type: ignore[method-assign]

    def end(self, end_time: int | None = None) -> None:
        """Note the time."""
        if self._told is None:
            self._told = end_time or time_ns()

    def release(self) -> None:
        """End it, as of the time that was noted."""
        self._end(self._told)


class Holding:
    """The library's tracer: its server spans end with their exchange."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self.start_as_current_span = spans.tracer.start_as_current_span  # spans of single messages

    def start_span(  # the library names all of them
        self, name: str, context: Context, kind: SpanKind, start_time: None, attributes: Attributes
    ) -> Span:
        """Start a span, and hold it."""
        del start_time
        span = self._spans.start(name, context, kind, attributes.copy)
        held = _held.get()
        if held is not None and span.is_recording():
            held.append(span if isinstance(span, Held) else _Patched(span))
        return span


_held: Final[ContextVar[list[Held | _Patched] | None]] = ContextVar("narthex.tracing.held", default=None)


class OtelEngine:
    """The library's middleware, once there is a tracer; until then, and on quiet paths, nothing.

    Args:
        app: what it stands in front of.
        messages: "receive" and "send", where their messages get spans too.
        subject: whether spans name the subject.
    """

    kind: ClassVar[type[ServerSpan]] = Held

    def __init__(self, app: ASGIApp, messages: Sequence[str], *, subject: bool) -> None:
        self._app = app
        self._subject = subject
        self._on = False
        self._all = not only_w3c() or Captured().of_requests
        without: list[Any] = [kind for kind in ("receive", "send") if kind not in messages]
        self._middleware = OpenTelemetryMiddleware(
            self._inside, tracer=NoOpTracer(), meter=NoOpMeter("narthex"), exclude_spans=without
        )

    def use(self, spans: Spans | None) -> None:
        """Make spans from now on; with None, make none."""
        self._on = spans is not None
        self._middleware.tracer = NoOpTracer() if spans is None else cast("Tracer", Holding(spans))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve one exchange."""
        exchange = current_exchange()
        if not self._on or exchange is None or exchange.plan.quiet:
            return await self._app(scope, receive, send)
        shown = {**scope, "headers": self._fields(scope["headers"]), _OWN: scope}
        if not _readable(shown):
            _make_readable(shown)
        held: list[Held | _Patched] = []
        token = _held.set(held)
        try:
            return await self._middleware(shown, receive, send)
        finally:
            _held.reset(token)
            for one in held:
                one.release()

    def _fields(self, fields: Fields) -> Fields:
        """Those that the library looks for: it decodes every field for each of them, which is a third of its time."""
        if self._all:
            return fields
        return [field for field in fields if field[0].lower() in _READ]

    async def _inside(self, scope: Scope, receive: Receive, send: Send) -> Any:
        scope = scope[_OWN]
        exchange = current_exchange()
        span = get_current_span()
        context = span.get_span_context()
        if exchange is None or not context.is_valid:  # instrumentation is suppressed here
            return await self._app(scope, receive, send)
        exchange.trace_id = f"{context.trace_id:032x}"
        described = False

        async def told(message: Message) -> None:
            nonlocal described
            await send(message)
            if not described and message["type"] in STARTS:
                described = True
                describe(span, exchange, subject=self._subject)

        try:
            return await self._app(scope, receive, told)
        finally:
            if not described:
                describe(span, exchange, subject=self._subject)


def _readable(scope: Scope) -> bool:
    """Whether the library can read it all: it raises where something is no UTF-8, and the request would fail."""
    return scope.get("query_string", b"").isascii() and b"".join([value for _, value in scope["headers"]]).isascii()


def _make_readable(scope: Scope) -> None:
    """Make UTF-8 of a scope's query and header fields; what is none becomes U+FFFD."""
    scope["headers"] = [(name, value.decode("utf-8", "replace").encode()) for name, value in scope["headers"]]
    scope["query_string"] = scope.get("query_string", b"").decode("utf-8", "replace").encode()
