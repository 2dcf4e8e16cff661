"""Spans by opentelemetry-instrumentation-asgi; what Narthex adds is added inside of it."""

from collections.abc import Sequence
from contextvars import ContextVar
from time import time_ns
from typing import Any, Final, cast

from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware  # pyright: ignore[reportMissingTypeStubs]
from opentelemetry.metrics import NoOpMeter
from opentelemetry.trace import NoOpTracer, Span, Tracer, get_current_span

from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.context import current_exchange
from narthex_plugins.tracing.describing import STARTS, describe

SCOPE: Final = "opentelemetry.instrumentation.asgi"
_OWN: Final = "narthex.tracing.scope"


class Held:
    """Keeps a span open after its end has been told, for the exception that a framework raises once it has answered.

    Starlette and FastAPI answer 500 and raise afterwards; the library ends its span with the answer.
    """

    __slots__ = ("_end", "_given", "_set", "_time", "_told")

    def __init__(self, span: Span, given: dict[str, Any]) -> None:
        self._end = span.end
        self._set = span.set_attribute
        self._given = given
        self._time: int | None = None
        self._told = False

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one, unless it is there: the library sets each again that the span was started with, at 1 µs each."""
        if self._given.pop(key, self) is not value:
            self._set(key, value)

    def end(self, end_time: int | None = None) -> None:
        """Note the time."""
        if not self._told:
            self._told, self._time = True, end_time or time_ns()

    def release(self) -> None:
        """End it, as of the time that was noted."""
        self._end(self._time)


class Holding:
    """A tracer whose server spans end with their exchange."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self.start_as_current_span = tracer.start_as_current_span  # spans of single messages

    def start_span(self, *args: Any, **more: Any) -> Span:
        """Start a span, and hold it."""
        span = self._tracer.start_span(*args, **more)
        held = _held.get()
        if held is not None and span.is_recording():
            one = Held(span, dict(more.get("attributes") or ()))
            span.end = one.end  # type: ignore[method-assign]
            span.set_attribute = one.set_attribute  # type: ignore[method-assign]
            held.append(one)
        return span


_held: Final[ContextVar[list[Held] | None]] = ContextVar("narthex.tracing.held", default=None)


class OtelEngine:
    """The library's middleware, once there is a tracer; until then, and on quiet paths, nothing.

    Args:
        app: what it stands in front of.
        messages: "receive" and "send", where their messages get spans too.
        subject: whether spans name the subject.
    """

    def __init__(self, app: ASGIApp, messages: Sequence[str], *, subject: bool) -> None:
        self._app = app
        self._subject = subject
        self._on = False
        without: list[Any] = [kind for kind in ("receive", "send") if kind not in messages]
        self._middleware = OpenTelemetryMiddleware(
            self._inside, tracer=NoOpTracer(), meter=NoOpMeter("narthex"), exclude_spans=without
        )

    def use(self, tracer: Tracer | None) -> None:
        """Make spans with this tracer from now on; with none, make none."""
        self._on = tracer is not None
        self._middleware.tracer = NoOpTracer() if tracer is None else cast("Tracer", Holding(tracer))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve one exchange."""
        exchange = current_exchange()
        if not self._on or exchange is None or exchange.plan.quiet:
            return await self._app(scope, receive, send)
        shown = scope if _readable(scope) else _made_readable(scope)
        if shown is not scope:
            shown[_OWN] = scope
        held: list[Held] = []
        token = _held.set(held)
        try:
            return await self._middleware(shown, receive, send)
        finally:
            _held.reset(token)
            for one in held:
                one.release()

    async def _inside(self, scope: Scope, receive: Receive, send: Send) -> Any:
        scope = scope.get(_OWN, scope)
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


def _made_readable(scope: Scope) -> Scope:
    """A copy of the scope whose query and header fields are UTF-8; what is none becomes U+FFFD."""
    fields = [(name, value.decode("utf-8", "replace").encode()) for name, value in scope["headers"]]
    query = scope.get("query_string", b"").decode("utf-8", "replace").encode()
    return {**scope, "headers": fields, "query_string": query}
