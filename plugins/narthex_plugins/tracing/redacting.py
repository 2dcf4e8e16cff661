"""Secrets taken out of spans, and whatever a collector could not be sent; by the thread that exports."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, Status

from narthex.detectors import MASK, Names, Redactor, Weight
from narthex_plugins.tracing.spans import ServerSpan

TURN: Final = 16
"""Spans after which the event loop may go on: of itself the interpreter changes hands only after 5 ms."""
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
    """A redactor that remembers short texts: paths and names repeat, and looking at one costs up to 5 µs.

    What it gives can be sent. Half a surrogate pair, as JSON can bring it into an exception, cannot: the library would
    throw the whole batch away, and with it hundreds of other requests' spans.
    """

    def __init__(self) -> None:
        super().__init__()
        self._short_text = lru_cache(maxsize=2048)(self._look)

    def text(self, text: str, known: Sequence[str] = ()) -> str:
        """The text without secrets, in Unicode."""
        return self._short_text(text) if len(text) < _SHORT and not known else self._look(text, known)

    def _look(self, text: str, known: Sequence[str] = ()) -> str:
        clean = super().text(text, known)
        return clean if clean.isascii() else clean.encode(errors="replace").decode()


def redacted(span: ReadableSpan, redactor: Redactor) -> ReadableSpan:
    """The span without the secrets that the app or its callers put on it; itself where it has none. Cost: 2 µs."""
    name = redactor.text(span.name)
    if isinstance(span, ServerSpan) and span.plain:  # nearly all
        unchanged = name == span.name and _clean(span.held, redactor) is None
        if unchanged:
            return span
    attributes = _clean(span.attributes or {}, redactor)
    events = [_clean_event(event, redactor) for event in span.events]
    links = [_clean_link(link, redactor) for link in span.links]
    described = span.status.description
    status = span.status if described is None else Status(span.status.status_code, redactor.text(described))
    changed = name != span.name or attributes is not None or status.description != described
    if not (changed or any(events) or any(links)):
        return span
    return ReadableSpan(
        name=name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes if attributes is None else attributes,
        events=[new or event for new, event in zip(events, span.events, strict=True)],
        links=[new or link for new, link in zip(links, span.links, strict=True)],
        kind=span.kind,
        status=status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _clean_event(event: Event, redactor: Redactor) -> Event | None:
    name, attributes = redactor.text(event.name), _clean(event.attributes or {}, redactor)
    if name == event.name and attributes is None:
        return None
    return Event(name, event.attributes if attributes is None else attributes, event.timestamp)


def _clean_link(link: Link, redactor: Redactor) -> Link | None:
    attributes = _clean(link.attributes or {}, redactor)
    return None if attributes is None else Link(link.context, attributes)


def _clean(attributes: Mapping[str, Any], redactor: Redactor) -> dict[str, Any] | None:
    """The attributes without secrets; None where they have none."""
    changed: dict[str, Any] = {}
    for key in attributes.keys() - _HARMLESS:
        value = attributes[key]
        query = key == "url.query" and isinstance(value, str)
        new = redactor.text(f"?{value}")[1:] if query else _value(key, value, redactor)
        if new != value:
            changed[key] = new
    return {**attributes, **changed} if changed else None


def _value(key: str, value: Any, redactor: Redactor) -> Any:
    """One value: hidden where its name announces a secret, else without those that its form gives away."""
    if isinstance(value, str):
        return MASK if value and _announces(key) else redactor.text(value)
    if isinstance(value, bytes):
        text = value.decode(errors="replace")
        clean = _value(key, text, redactor)
        return value if clean == text else clean
    if isinstance(value, Mapping):
        inner = cast("Mapping[str, Any]", value)
        return {name: _value(name, one, redactor) for name, one in inner.items()}
    if isinstance(value, Sequence):
        return tuple(_value(key, one, redactor) for one in cast("Any", value))
    return value


@lru_cache(maxsize=1024)
def _announces(key: str) -> bool:
    """Whether the name announces a secret: of a header's attribute the header, else the last word."""
    for prefix in _HEADER:
        if key.startswith(prefix):
            return _names.weight(key[len(prefix) :].replace("_", "-")) > Weight.MAYBE
    return _names.weight(key.rpartition(".")[2]) > Weight.MAYBE


_names: Final = Names()
