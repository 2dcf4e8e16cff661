"""A record: who did what, from where, to what, and what came of it; and the one way to write it as bytes.

    {"action":"http.POST","actor":"alice","address":"203.0.113.9",...}      canonical JSON, RFC 8785

What a stranger sends (a path, a header) must not be able to keep a record from being made. So text is mended: lone
surrogates and NUL, which no store takes, become U+FFFD, and what is too long is cut and says so. What the app itself
gives as `details` is refused where it cannot be written exactly: the app can do something about it.
"""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import msgspec
import rfc8785

from narthex.errors import NarthexError

INTENT: Final = "intent"
"""The outcome of a record made before the thing is done. The record of what came of it has the same request id."""

LIMITS: Final[Mapping[str, int]] = {
    "id": 64,
    "time": 32,
    "actor": 255,
    "session": 255,
    "address": 64,
    "action": 255,
    "resource": 2048,
    "outcome": 64,
    "reason": 1024,
    "request_id": 255,
    "trace_id": 64,
    "before": 128,
    "after": 128,
}
"""Characters of each text."""
DETAILS: Final = 16_384
"""Bytes of the details, as canonical JSON."""
DEPTH: Final = 8
"""Levels of objects and lists in details."""
SAFE: Final = 2**53 - 1
"""The largest whole number that every reader of JSON understands exactly (RFC 8785 §3.2.2.3)."""

_REQUIRED: Final = frozenset({"id", "time", "action", "outcome", "reason"})
_ODD: Final = re.compile("[\x00\ud800-\udfff]")
_ASTRAL: Final = re.compile("[\ue000-\U0010ffff]")  # where UTF-16 orders keys otherwise than code points do
_encode: Final = msgspec.json.Encoder(order="sorted").encode


class RecordError(NarthexError, ValueError):
    """A record that cannot be written as it is; the message says what of it."""

    code = "audit_record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing that was done, or tried. Make it with `make`, which checks and mends.

    Attributes:
        id: 32 hex digits, rising with time (UUID version 7).
        time: RFC 3339 in UTC with six decimals, "2026-11-22T10:55:18.123456Z": text that sorts as time does.
        actor: the subject who did it; None for nobody known.
        session: their session's id.
        address: the client's.
        action: what was done, as "http.POST", "auth.login".
        resource: to what: a path, an object's name.
        outcome: "intent" before it is done; then "success", "refused", "failed" or a word of the app's.
        reason: why, for people; may be empty.
        request_id, trace_id: what else is known of the request.
        before, after: digests of what was changed, "sha256:..." in hex.
        details: anything else, JSON.
    """

    id: str
    time: str
    action: str
    outcome: str
    actor: str | None = None
    session: str | None = None
    address: str | None = None
    resource: str | None = None
    reason: str = ""
    request_id: str | None = None
    trace_id: str | None = None
    before: str | None = None
    after: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def canonical(self) -> bytes:
        """The record's bytes: what is hashed, kept and exported (RFC 8785).

        Raises:
            RecordError: its details hold what JSON cannot say.

        Cost: some 3 µs; twenty times as much where details hold fractions or keys beyond the usual alphabets.
        """
        try:
            if _plain(self.details, 1):  # its other fields are text, or null
                return _encode(self)
        except (ValueError, TypeError):
            pass
        return canonical({name: getattr(self, name) for name in NAMES})

    def replace(self, **changes: Any) -> "Record":
        """The same with some fields changed."""
        return replace(self, **changes)


NAMES: Final = tuple(one.name for one in fields(Record))
"""The fields of a record; all of them stand in its JSON, with null for what is not known."""


def make(  # noqa: PLR0913  one for each field of a record
    now: float,
    action: str,
    outcome: str,
    *,
    actor: str | None = None,
    session: str | None = None,
    address: str | None = None,
    resource: str | None = None,
    reason: str = "",
    request_id: str | None = None,
    trace_id: str | None = None,
    before: str | None = None,
    after: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> Record:
    """A record of this moment, with an id of its own.

    Args:
        now: seconds since the epoch.
        action: what is done.
        outcome: what came of it, or `INTENT`.
        actor: who does it.
        session: of theirs.
        address: where they are.
        resource: what it is done to.
        reason: why.
        request_id: of the request.
        trace_id: of the request.
        before: digest of what was.
        after: digest of what is.
        details: anything else; copied.

    Raises:
        RecordError: details cannot be written as JSON, or are too large or too deep; or the time is no time.
    """
    time = timestamp(now)
    return Record(
        id=new_id(max(now, 0.0)),
        time=time,
        action=mended("action", action),
        outcome=mended("outcome", outcome),
        actor=_text("actor", actor),
        session=_text("session", session),
        address=_text("address", address),
        resource=_text("resource", resource),
        reason=mended("reason", reason),
        request_id=_text("request_id", request_id),
        trace_id=_text("trace_id", trace_id),
        before=_text("before", before),
        after=_text("after", after),
        details=_details(details) if details else {},
    )


def timestamp(now: float) -> str:
    """Seconds since the epoch, as records have it.

    Raises:
        RecordError: no time before the year 10000. One before 1970 is taken for its first moment.
    """
    try:
        second, fraction = divmod(round(max(now, 0.0) * 1_000_000), 1_000_000)
        return f"{_second(second)}.{fraction:06d}Z"
    except (ValueError, OverflowError, OSError):
        raise RecordError(f"{now!r} is not a time") from None


@lru_cache(maxsize=8)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]


def new_id(now: float) -> str:
    """A UUID version 7 (RFC 9562 §5.7), as 32 hex digits: ids made later sort later, to a millisecond."""
    random = int.from_bytes(os.urandom(10))
    low = (random & 0xFFF) << 64 | 0x2 << 62 | random >> 18
    return f"{(int(now * 1000) & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76 | low:032x}"


def canonical(value: Mapping[str, Any]) -> bytes:
    """Canonical JSON (RFC 8785).

    Raises:
        RecordError: it holds what JSON cannot say exactly.
    """
    try:
        if _plain(value, 0):
            return _encode(value)
        return rfc8785.dumps(value)
    except (ValueError, TypeError, RecursionError) as error:  # UnicodeEncodeError is a ValueError
        raise RecordError(f"this cannot be written as canonical JSON: {error}") from None


def _plain(value: Any, depth: int) -> bool:
    """Whether an encoder in C writes this as RFC 8785 wants it; the library for that takes anything, slowly.

    The two differ in how they write fractions, in large whole numbers, and in the order of keys that hold characters
    from U+E000 on.
    """
    kind: Any = value.__class__
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return bool(-SAFE <= value <= SAFE)
    if depth > DEPTH + 1:
        return False
    if kind is dict:
        pairs = value.items()
        return all(type(key) is str and not _ASTRAL.search(key) and _plain(one, depth + 1) for key, one in pairs)
    return kind in (list, tuple) and all(_plain(one, depth + 1) for one in value)


def _text(name: str, value: str | None) -> str | None:
    return None if value is None else mended(name, value)


def mended(name: str, value: str) -> str:
    """A text as it may stand in a field of this name: without odd characters, and cut where it is too long."""
    limit = LIMITS[name]
    if len(value) > limit:
        note = f"…[{len(value)} characters]"
        value = value[: limit - len(note)] + note
    return printable(value)


def printable(text: str) -> str:
    """A text with U+FFFD for what no store takes."""
    return text if text.isascii() and "\x00" not in text else _ODD.sub("�", text)


def _details(details: Mapping[str, Any]) -> dict[str, Any]:
    clean = {_key(key): _clean(value, 1) for key, value in details.items()}
    size = len(canonical(clean))
    if size > DETAILS:
        raise RecordError(f"details are {size} bytes as JSON, and at most {DETAILS} are kept")
    return clean


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise RecordError(f"keys of details are text, not {type(key).__name__}")
    return _ODD.sub("�", key)


def _clean(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _ODD.sub("�", value)
    if isinstance(value, int | float):
        return _number(value)
    if depth >= DEPTH:
        raise RecordError(f"details are more than {DEPTH} levels deep")
    kind: Any = value.__class__
    if issubclass(kind, Mapping):
        return {_key(key): _clean(one, depth + 1) for key, one in value.items()}
    if issubclass(kind, list | tuple):
        return [_clean(one, depth + 1) for one in value]
    raise RecordError(f"details hold {type(value).__name__}, which JSON cannot say")


def _number(value: float) -> float:
    if isinstance(value, int):
        if not -SAFE <= value <= SAFE:
            raise RecordError("details hold a whole number beyond 2^53 - 1; give it as text")
        return int(value)
    if not math.isfinite(value):
        raise RecordError(f"details hold {value}, which JSON cannot say")
    return float(value)
