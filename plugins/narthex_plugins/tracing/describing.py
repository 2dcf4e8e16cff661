"""What Narthex adds to the span of an exchange, the same in both engines."""

from typing import Final

from opentelemetry.trace import Span

from narthex.exchange import Exchange
from narthex.verdict import Deny

STARTS: Final = frozenset(
    ("http.response.start", "websocket.accept", "websocket.http.response.start", "websocket.close")
)
"""With these messages it is known which route answered, or who refused."""


def describe(span: Span, exchange: Exchange, *, subject: bool) -> None:
    """Say route, refusal and subject once they are known. Cost: 2 µs where the span is recorded."""
    if not span.is_recording():
        return
    route = exchange.route
    if route is not None:
        span.set_attribute("http.route", route)
        method = "" if exchange.kind == "websocket" else f"{span.name.partition(' ')[0]} "  # type: ignore[attr-defined]
        span.update_name(f"{method}{route}")
    verdict = exchange.verdict
    if isinstance(verdict, Deny):
        step = exchange.decided_by
        span.set_attribute("narthex.refusal.code", verdict.code)
        span.set_attribute("narthex.refusal.plugin", "core" if step is None else step.instance)
    if subject and exchange.identity is not None:
        span.set_attribute("user.id", exchange.identity.subject)
