"""Spans of the SDK's own kind, made in a third of the time that its tracer takes.

The SDK does for each span what it would have to do for any: it cleans attributes that are clean, asks a sampler whose
word is known, makes lists for events and links that hardly any span has, and copies the span once it has ended. Here a
span begins as a copy of one that the SDK has made, with what is its own put in; whatever the app does with it is the
SDK's code. Where anything is not as it was when this was written (another release of the SDK, a sampler that is not
known, limits, a processor that the app has added), the SDK's tracer makes the span.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from random import getrandbits
from threading import Lock
from time import time_ns
from typing import Any, Final, cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.trace import EventBase, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, ParentBasedTraceIdRatio, Sampler, TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    Tracer,
    get_current_span,
    set_span_in_context,
)

Attributes = dict[str, Any]
Take = Callable[[ReadableSpan], None]

_NOTHING: Final = Context()
(CURRENT,) = set_span_in_context(NonRecordingSpan(SpanContext(0, 0, is_remote=False)), _NOTHING)
"""The key of the current span in a context."""
_NONE: Final = ()
_LOW: Final = (1 << 64) - 1  # the half of a trace id that the SDK's sampler looks at
_SAMPLED: Final = 1
_RANDOM: Final = 2  # W3C Trace Context level 2, §3.2.2.5.2
_MOST: Final = 64  # attributes that we put on a span, at the very most
_SPAN: Final = frozenset(
    {
        *("_name", "_context", "_kind", "_parent", "_start_time", "_end_time", "_attributes", "_events", "_links"),
        *("_instrumentation_info", "_instrumentation_scope", "_resource", "_status", "_sampler", "_trace_config"),
        *("_record_exception", "_set_status_on_exception", "_span_processor", "_limits", "_lock"),
        "_record_end_metrics",
    }
)
_BOUNDED: Final = frozenset({"_dict", "maxlen", "dropped", "max_value_len", "_lock", "_immutable"})
"""What a span and its attributes consist of; of a release that has more we do not know what it is for."""


class Provider(TracerProvider):
    """The SDK's provider; knows whether the app has added a processor to ours.

    Attributes:
        others: processors beside the first.
    """

    others = -1

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Have a processor told of spans."""
        super().add_span_processor(span_processor)
        self.others += 1


class ServerSpan(SdkSpan):
    """A span of the SDK's that goes straight to the one processor there is."""

    _provider: Provider
    _take: Take
    _attributes: BoundedAttributes
    _end_time: int | None
    _events: Any  # none, or the SDK's list, which has no types
    _links: Any

    def put(self, attributes: Attributes) -> None:
        """Set attributes that need no cleaning: text and whole numbers."""
        with self._lock:
            if self._end_time is not None:
                return
            bounded = self._attributes
            if bounded.maxlen is None or len(self.held) + len(attributes) <= bounded.maxlen:
                self.held.update(attributes)
            else:
                bounded.update(attributes)

    @property
    def held(self) -> Attributes:
        """Its attributes themselves. Only read them."""
        return self._attributes._dict  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    @property
    def plain(self) -> bool:
        """Whether it has neither events nor anything to say of its status."""
        return self._events is _NONE and self._status.description is None

    def end(self, end_time: int | None = None) -> None:
        """End it. A second time says so in the log, and does nothing."""
        if not self._provider.others:
            with self._lock:
                first = self._end_time is None
                if first:
                    self._end_time = time_ns() if end_time is None else end_time
                    self._attributes._immutable = True  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            if first:
                self._take(self)
                return
        super().end(end_time)

    def _add_event(self, event: EventBase) -> None:
        with self._lock:
            if self._events is _NONE:
                self._events = self._new_events()  # type: ignore[no-untyped-call]
        super()._add_event(event)

    def _add_link(self, link: Link) -> None:
        with self._lock:
            if self._links is _NONE:
                self._links = self._new_links(())
        super()._add_link(link)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A sampler whose word is known: it keeps a trace where the low half of its id is below `bound`."""

    bound: int
    by_parent: bool


class Spans:
    """Starts spans.

    Args:
        provider: whose they are.
        tracer: the provider's, for whatever is not plain.
        take: what the provider's only processor does with a span that has ended; None where it has none.
        kind: the class of spans.

    Attributes:
        tracer: the one given.
        plain: they are made here, as long as the app adds no processor.
    """

    def __init__(
        self, provider: Provider, tracer: Tracer, take: Take | None, kind: type[ServerSpan] = ServerSpan
    ) -> None:
        self._provider = provider
        self.tracer: Any = tracer
        self._kind = kind
        self._rule = _rule(provider.sampler)
        self._template: dict[str, Any] = {}
        self._bounded: dict[str, Any] = {}
        self._root = self._child = TraceFlags(0)
        self.plain = (
            take is not None
            and self._rule is not None
            and type(provider.id_generator) is RandomIdGenerator
            and os.environ.get("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "").strip().lower() != "true"
            and self._learn(take)
        )

    def start(self, name: str, context: Context, kind: SpanKind, collect: Callable[[], Attributes]) -> Span:
        """Start one.

        Args:
            name: its name.
            context: whose span, if it has any, is the parent.
            kind: what it is of a trace.
            collect: gives its attributes, texts and whole numbers; not called where the trace is not kept.

        Cost: 4 µs.
        """
        rule = self._rule
        if rule is None or not self.plain or self._provider.others:
            return cast("Span", self.tracer.start_span(name, context, kind, collect()))
        parent: SpanContext | None = None
        if context:
            parent = get_current_span(context).get_span_context()
        if parent is None or not parent.is_valid:
            parent = state = None
            trace_id, flags = getrandbits(128) or 1, self._root
            kept = (trace_id & _LOW) < rule.bound
        else:
            state, trace_id, given = parent.trace_state, parent.trace_id, parent.trace_flags
            flags = self._child if given & _RANDOM else _PLAIN
            kept = bool(given & _SAMPLED) if rule.by_parent else (trace_id & _LOW) < rule.bound
        if not kept:
            flags = TraceFlags(flags & ~_SAMPLED)
        own = SpanContext(trace_id, getrandbits(64) or 1, False, flags, state)
        return self._made(name, own, parent, kind, collect()) if kept else NonRecordingSpan(own)

    def _made(
        self, name: str, own: SpanContext, parent: SpanContext | None, kind: SpanKind, attributes: Attributes
    ) -> ServerSpan:
        bounded: Any = _new(BoundedAttributes)
        bounded.__dict__ = {**self._bounded, "_dict": attributes, "_lock": Lock()}
        span: Any = _new(self._kind)
        span.__dict__ = {
            **self._template,
            "_name": name,
            "_context": own,
            "_parent": parent,
            "_kind": kind,
            "_attributes": bounded,
            "_resource": self.tracer.resource,  # another one in a forked child
            "_lock": Lock(),
            "_start_time": time_ns(),
        }
        return cast("ServerSpan", span)

    def _learn(self, take: Take) -> bool:
        """Have the SDK make spans, and look at them; whether there is nothing about them that is not known."""
        # A trace that every sampler keeps, but for one that keeps none.
        parent = SpanContext(1 << 64, 1, is_remote=True, trace_flags=TraceFlags(_SAMPLED | _RANDOM))
        root: Span = self.tracer.start_span("", _NOTHING)
        child: Span = self.tracer.start_span("", set_span_in_context(NonRecordingSpan(parent), _NOTHING))
        if not isinstance(child, SdkSpan):
            return False
        template = vars(child)
        bounded = vars(template.get("_attributes"))
        limit, longest = bounded.get("maxlen"), bounded.get("max_value_len")
        if not template.keys() <= _SPAN or not bounded.keys() <= _BOUNDED:
            return False
        if longest is not None or (limit is not None and limit < _MOST):
            return False
        self._bounded = bounded
        self._template = {**template, "_events": _NONE, "_links": _NONE, "_provider": self._provider, "_take": take}
        self._root = TraceFlags(_SAMPLED | (root.get_span_context().trace_flags & _RANDOM))
        self._child = TraceFlags(_SAMPLED | (child.get_span_context().trace_flags & _RANDOM))
        return True


_PLAIN: Final = TraceFlags(_SAMPLED)
_new: Final[Any] = object.__new__  # the SDK's own class says that only a tracer may


def _rule(sampler: Sampler) -> _Rule | None:
    """What a sampler does, or None where only it can say."""
    if type(sampler) is TraceIdRatioBased:
        return _Rule(sampler.bound, by_parent=False)
    if sampler is ALWAYS_ON:
        return _Rule(_LOW + 1, by_parent=False)
    if type(sampler) in (ParentBased, ParentBasedTraceIdRatio):
        told = _described(sampler)
        if told == _described(ParentBased(ALWAYS_ON)):
            return _Rule(_LOW + 1, by_parent=True)
        share = told.partition("root:TraceIdRatioBased{")[2].partition("}")[0]
        if share and told == _described(ParentBased(root := TraceIdRatioBased(float(share)))):
            return _Rule(root.bound, by_parent=True)
    return None


def _described(sampler: Sampler) -> str:
    """What a sampler does, all of it, as it says itself."""
    return str(sampler.get_description())
