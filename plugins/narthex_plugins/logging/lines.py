"""What the two lines of an exchange say: the access line, and the error line of an exception that left the app.

Facts in, bytes out; no I/O. The access line does not take the way of a `LogRecord`, a formatter and a handler, which
would cost ten times as much; a test holds both ways to the same fields in the same form.
"""

import time
import traceback
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from narthex.exchange import Exchange
from narthex.verdict import Deny
from narthex_plugins.logging.encode import LONGEST_LINE, encode, finish, to_json

Level = Literal["debug", "info", "warning", "error", "critical"]
RANKS: Final[dict[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
"""The levels of the standard library, by our names for them."""

ACCESS: Final = "narthex.access"
ERROR: Final = "narthex.error"

_MILLISECONDS = tuple(f"{millisecond:03d}Z" for millisecond in range(1000))


class Timestamps:
    """RFC 3339 in UTC with milliseconds. The text of a second is kept: 0.2 µs instead of 2."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept = (-1, "")  # one tuple, so that two threads never mix their seconds

    def text(self, now: float) -> str:
        """The text of `now`, seconds since the epoch, rounded down."""
        second = int(now)
        kept, text = self._kept
        if kept != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
            self._kept = (second, text)
        return text + _MILLISECONDS[int((now - second) * 1000)]


class Access(msgspec.Struct, omit_defaults=True, gc=False):
    """The access line, its fields in the order they are written. What is None is left out.

    Attributes:
        client: the client's address by the trusted proxies.
        path: decoded, as the client asked for it, mount prefix included.
        status: what the client saw; 101 for an accepted websocket.
        bytes: of the response body or of the websocket messages sent.
        duration_ms: until the last byte was handed to the server; for a websocket or stream its whole life.
        error: the type of the exception that left the app.
        code, reason, rule, plugin, where: of the refusal: the caller was told the code, the rest is the operator's.
    """

    time: str
    level: str
    logger: str
    message: str
    request_id: str
    client: str | None
    method: str
    path: str
    status: int | None
    bytes: int
    duration_ms: float
    query: str | None = None
    trace_id: str | None = None
    subject: str | None = None
    error: str | None = None
    code: str | None = None
    reason: str | None = None
    rule: str | None = None
    plugin: str | None = None
    where: str | None = None


def level_of(exchange: Exchange) -> Level:
    """How loud an exchange is: error where the service failed, warning where the house refused, else info.

    A 404 or 422 of the app is its ordinary work, and so is a client that goes away.
    """
    status = exchange.status
    if exchange.error is not None or (status is not None and status >= 500):
        return "error"
    return "warning" if isinstance(exchange.verdict, Deny) else "info"


def access_line(exchange: Exchange, time: str, level: Level, monotonic: Callable[[], float], *, query: bool) -> bytes:
    """The access line of a finished exchange. Costs about 2 µs.

    Args:
        exchange: read only.
        time: the moment, as text.
        level: as `level_of` has it.
        monotonic: the clock, for an exchange that core has given no end.
        query: whether the query string may be written.
    """
    method, path, status = exchange.method, exchange.path, exchange.status
    identity, verdict, error = exchange.identity, exchange.verdict, exchange.error
    ended = exchange.ended
    if ended is None:
        ended = monotonic()
    facts = Access(
        time,
        level,
        ACCESS,
        f"{method} {path} {status or '-'}",
        exchange.id,
        exchange.client,
        method,
        path,
        status,
        exchange.bytes_out,
        # Whole microseconds; `round(x, 3)` costs three times as much.
        int((ended - exchange.started) * 1e6) / 1000,
        exchange.query if query else None,
        exchange.trace_id,
    )
    if identity is not None:
        facts.subject = identity.subject
    if error is not None:
        facts.error = type(error).__qualname__
    if isinstance(verdict, Deny):
        _explain(facts, exchange, verdict)
    return _line(facts)


def _explain(facts: Access, exchange: Exchange, deny: Deny) -> None:
    facts.code = deny.code
    facts.reason = deny.reason or None
    facts.rule = deny.rule or None
    step = exchange.decided_by
    if step is not None:
        facts.plugin = step.instance
        facts.where = step.where or None


def _line(facts: Access) -> bytes:
    try:
        data = to_json(facts)
    except UnicodeEncodeError:  # a lone surrogate, out of a server that decodes with surrogateescape
        return encode(_present(facts))
    return finish(data) if len(data) <= LONGEST_LINE else encode(_present(facts))


def _present(facts: Access) -> dict[str, object]:
    required = 11
    return {
        name: value
        for position, (name, value) in enumerate(msgspec.structs.asdict(facts).items())
        if value is not None or position < required
    }


def error_line(exchange: Exchange, error: BaseException, time: str) -> bytes:
    """The line of an exception that left the app: what it was, where, and in which exchange."""
    told = describe(error)
    fields: dict[str, object] = {
        "time": time,
        "level": "error",
        "logger": ERROR,
        "message": f"{told['type']}: {told['message']}" if told["message"] else told["type"],
        "request_id": exchange.id,
        "method": exchange.method,
        "path": exchange.path,
        "exception": told,
    }
    if exchange.trace_id is not None:
        fields["trace_id"] = exchange.trace_id
    return encode(fields)


def describe(error: BaseException) -> dict[str, str]:
    """Type, message and stack of an exception, its causes included. Never raises."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        message = str(error)
    except Exception:  # noqa: BLE001  an app's own __str__
        message = "<unprintable>"
    try:
        stack = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001  a source file or a note may be anything
        stack = "<unprintable>"
    return {"type": name, "message": message, "stack": stack}
