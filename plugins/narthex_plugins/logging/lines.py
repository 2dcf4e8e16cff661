"""What the two lines of an exchange say: the access line, and the error line of an exception that left the app.

Facts in, bytes out; no I/O. The access line does not take the way of a `LogRecord`, a formatter and a handler, which
would cost ten times as much; a test holds both ways to the same fields in the same form.
"""

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from narthex.detectors import DETECTORS, MASK, Finder, Redactor, Weight
from narthex.exchange import Exchange
from narthex.levels import LEVELS
from narthex.verdict import Deny
from narthex_plugins.logging.credentials import of_environment, of_exchange
from narthex_plugins.logging.encode import LONGEST_LINE, encode, finish, redacted, to_json
from narthex_plugins.logging.shapes import Shape

Level = Literal["debug", "info", "warning", "error", "critical"]
RANKS: Final = LEVELS

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
        headers: request header fields by name, where the settings ask for them.
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
    headers: dict[str, str] | None = None


_KEPT_PATHS: Final = 4096
_LONGEST_KEPT: Final = 256  # characters
_LONGEST_SENT: Final = 2048  # characters of a path, query or header field: strangers make them, and they take time
_FORMS: Final = Finder(detector for detector in DETECTORS if detector.id != "random")  # ids are made at random
_MADE_HERE: Final = 32  # characters of the ids that core makes
_LONGEST_METHOD: Final = 16  # of those that there are
_MADE: Final = frozenset({32, 36})  # lengths of request ids that machines make: hex, UUID


class Lines:
    """Makes the lines of exchanges.

    Args:
        monotonic: the clock, for an exchange that core has given no end.
        redactor: takes secrets out of paths, queries, header fields, reasons and exceptions; None leaves them.
        levels: the level by status, as the setting has it.
        headers: names of the request header fields that are told.
        query: whether the query string is.
        shape: renames the fields; None keeps our names.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        redactor: Redactor | None = None,
        *,
        levels: Mapping[str, Level] | None = None,
        headers: Sequence[str] = (),
        query: bool = False,
        shape: Shape | None = None,
    ) -> None:
        self._monotonic = monotonic
        self._redactor = redactor
        self._levels = _by_status(levels or {})
        self._headers = tuple(name.lower() for name in headers)
        self._query = query
        self._shape = shape
        self._more = query or bool(headers) or shape is not None  # one question where nothing was asked for
        self._paths: dict[str, str] = {}
        self._environment = of_environment(redactor.names) if redactor is not None else ()

    def level_of(self, exchange: Exchange) -> Level:
        """How loud an exchange is: error where the service failed, warning where the house refused, else info.

        A 404 or 422 of the app is its ordinary work, and so is a client that goes away, unless the settings have it
        otherwise.
        """
        status = exchange.status
        if exchange.error is not None:
            return "error"
        if self._levels and status in self._levels:
            return self._levels[status]
        if status is not None and status >= 500:
            return "error"
        return "warning" if isinstance(exchange.verdict, Deny) else "info"

    def access(self, exchange: Exchange, time: str, level: Level) -> bytes:
        """The access line of a finished exchange. Costs about 2 µs for a path that was seen lately.

        Args:
            exchange: read only.
            time: the moment, as text.
            level: as `level_of` has it.
        """
        method, path, status = exchange.method, exchange.path, exchange.status
        identity, verdict, error = exchange.identity, exchange.verdict, exchange.error
        redactor, id_ = self._redactor, exchange.id
        if redactor is not None:
            if len(id_) != _MADE_HERE:
                id_ = request_id(exchange, redactor)
            path = self._paths.get(path) or self._path(path)
            if len(method) > _LONGEST_METHOD:
                method = redacted(method, redactor, longest=_LONGEST_SENT)
        ended = exchange.ended
        if ended is None:
            ended = self._monotonic()
        facts = Access(
            time,
            level,
            ACCESS,
            f"{method} {path} {status or '-'}",
            id_,
            exchange.client,
            method,
            path,
            status,
            exchange.bytes_out,
            # Whole microseconds; `round(x, 3)` costs three times as much.
            int((ended - exchange.started) * 1e6) / 1000,
            None,
            exchange.trace_id,
        )
        if identity is not None:
            facts.subject = identity.subject
        if error is not None:
            facts.error = type(error).__qualname__
        if isinstance(verdict, Deny):
            self._explain(facts, exchange, verdict)
        if self._more:
            self._tell_more(facts, exchange)
            if self._shape is not None:
                return encode(self._shape(_present(facts)))
        return _line(facts)

    def error(self, exchange: Exchange, error: BaseException, time: str) -> bytes:
        """The line of an exception that left the app: what it was, where, in which exchange, and who asked."""
        known: Sequence[str] = ()
        if self._redactor is not None:
            known = (*of_exchange(exchange, self._redactor.names), *self._environment)
        told = describe(error, self._redactor, known)
        path = exchange.path if self._redactor is None else self._path(exchange.path)
        fields: dict[str, object] = {
            "time": time,
            "level": "error",
            "logger": ERROR,
            "message": f"{told['type']}: {told['message']}" if told["message"] else told["type"],
            "request_id": request_id(exchange, self._redactor),
            "method": exchange.method,
            "path": path,
            "exception": told,
        }
        if exchange.trace_id is not None:
            fields["trace_id"] = exchange.trace_id
        if exchange.identity is not None:
            fields["subject"] = exchange.identity.subject
        return encode(fields if self._shape is None else self._shape(fields))

    def _path(self, path: str) -> str:
        """The path without secrets, remembered: most are asked for again."""
        if self._redactor is None:
            return path
        told = redacted(path, self._redactor, longest=_LONGEST_SENT)
        if len(path) <= _LONGEST_KEPT:
            if len(self._paths) >= _KEPT_PATHS:  # strangers make paths
                self._paths.clear()
            self._paths[path] = told
        return told

    def _explain(self, facts: Access, exchange: Exchange, deny: Deny) -> None:
        reason = deny.reason if self._redactor is None else redacted(deny.reason, self._redactor)
        facts.code = deny.code
        facts.reason = reason or None
        facts.rule = deny.rule or None
        step = exchange.decided_by
        if step is not None:
            facts.plugin = step.instance
            facts.where = step.where or None

    def _tell_more(self, facts: Access, exchange: Exchange) -> None:
        """The query string and header fields, where the settings ask for them."""
        redactor = self._redactor
        if self._query:
            facts.query = exchange.query if redactor is None else _query(exchange.query, redactor)
        present = {name: exchange.headers.getlist(name) for name in self._headers if name in exchange.headers}
        if present:
            facts.headers = {
                name: ", ".join(values) if redactor is None else _value(name, ", ".join(values), redactor)
                for name, values in present.items()
            }


def _query(raw: str, redactor: Redactor) -> str:
    """A raw query string, redacted as one: behind its question mark `code` and `key` are secrets too."""
    return redacted(f"?{raw}", redactor, longest=_LONGEST_SENT)[1:]


def _value(name: str, value: str, redactor: Redactor) -> str:
    """The value of a header field, redacted."""
    hidden = redactor.names.weight(name) > Weight.MAYBE and bool(value)
    return MASK if hidden else redacted(value, redactor, longest=_LONGEST_SENT)


def request_id(exchange: Exchange, redactor: Redactor | None) -> str:
    """The id as it may be told: a caller may have sent a token as one, by mistake."""
    given = exchange.id
    if redactor is None or len(given) in _MADE or len(given) < 20:
        return given
    return next((f"[redacted:{finding.id}]" for finding in _FORMS.find(given)), given)


def _by_status(levels: Mapping[str, Level]) -> dict[int | None, Level]:
    """The exact status wins over its class."""
    expanded: dict[int | None, Level] = {}
    for status, level in sorted(levels.items(), key=lambda pair: not pair[0].endswith("xx")):
        first = int(status.replace("xx", "00"))
        expanded |= dict.fromkeys(range(first, first + (100 if status.endswith("xx") else 1)), level)
    return expanded


def _line(facts: Access) -> bytes:
    try:
        data = to_json(facts)
    except UnicodeEncodeError:  # a lone surrogate, out of a server that decodes with surrogateescape
        return encode(_present(facts))
    if data.isascii() and b"\x7f" not in data and len(data) <= LONGEST_LINE:
        return data + b"\n"
    return finish(data) if len(data) <= LONGEST_LINE else encode(_present(facts))


def _present(facts: Access) -> dict[str, object]:
    required = 11
    return {
        name: value
        for position, (name, value) in enumerate(msgspec.structs.asdict(facts).items())
        if value is not None or position < required
    }


def describe(error: BaseException, redactor: Redactor | None = None, known: Sequence[str] = ()) -> dict[str, str]:
    """Type, message and stack of an exception, its causes included, without the secrets in them. Never raises."""
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
    if redactor is not None:
        message, stack = redacted(message, redactor, known), redacted(stack, redactor, known)
    return {"type": name, "message": message, "stack": stack}
