"""What the endpoints read and write: one JSON object in, JSON out, never cached; refusals as RFC 9457 has them."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from narthex.context import current_exchange
from narthex.services import Session
from narthex_plugins.revocation.entries import EVERY, Kind, Revocation

LARGEST: Final = 16 * 1024
_NO_STORE: Final = {"cache-control": "no-store"}
_NAMES: tuple[Kind, ...] = ("token", "session", "subject")
_FIELDS: Final = frozenset({*_NAMES, "issuer", "issued_before", "expires_at", "reason"})
_LONGEST_TEXT: Final = 2000


class Unreadable(Exception):
    """A request that cannot be followed; its text is for the caller.

    Attributes:
        status: to answer with.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be revoked.

    Attributes:
        kind: "issuer" where only a time was given.
        issuer: None where none was named.
        cut: `issued_before`, seconds since the epoch, or None.
        expires: of a token, seconds since the epoch, or None.
    """

    kind: Kind
    name: str
    issuer: str | None
    cut: float | None
    expires: float | None
    reason: str


async def order_of(request: Request, now: float) -> Order:
    """Read what is to be revoked.

    Raises:
        Unreadable: too large (413), not JSON (415), malformed or contradictory (400).
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Unreadable(415, "the body is not application/json")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise Unreadable(413, f"the body has more than {LARGEST} bytes")
    try:
        given: object = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable(400, "the body is not JSON") from None
    if not isinstance(given, dict):
        raise Unreadable(400, "the body is not a JSON object")
    return order(cast("dict[str, object]", given), now)


def order(given: Mapping[str, object], now: float) -> Order:
    """The order that an object states.

    Raises:
        Unreadable: malformed or contradictory (400).
    """
    unknown = sorted(given.keys() - _FIELDS)
    if unknown:
        raise Unreadable(400, f"{unknown[0][:40]} is not known; there is {', '.join(sorted(_FIELDS))}")
    named: list[Kind] = [kind for kind in _NAMES if given.get(kind) is not None]
    cut = instant(given.get("issued_before"), "issued_before")
    if len(named) > 1 or (not named and cut is None):
        raise Unreadable(400, "name one of token, session and subject, or issued_before alone")
    kind: Kind = named[0] if named else "issuer"
    issuer, expires = _text(given, "issuer"), instant(given.get("expires_at"), "expires_at")
    if cut is not None and kind in ("token", "session"):
        raise Unreadable(400, f"issued_before says nothing of a {kind}: all of it is revoked")
    if cut is not None and cut > now:
        raise Unreadable(400, "issued_before is still to come: nobody can be refused for what they will be given")
    if expires is not None and kind != "token":
        raise Unreadable(400, "expires_at is that of a token")
    if issuer == EVERY and kind != "issuer":
        raise Unreadable(400, f'the issuer "{EVERY}" means all of them, and goes with issued_before alone')
    name = _text(given, kind) or "" if named else ""
    if named and not name:
        raise Unreadable(400, f"{kind} is empty")
    return Order(kind=kind, name=name, issuer=issuer, cut=cut, expires=expires, reason=_text(given, "reason") or "")


def plain(text: str, name: str) -> str:
    """A text from a path, a query or a command line, where it is one that a store can hold.

    Raises:
        Unreadable: it is not (400).
    """
    return _text({name: text}, name) or ""


def instant(value: object, name: str) -> float | None:
    """Seconds since the epoch out of a number, or a text of RFC 3339 with its offset.

    Raises:
        Unreadable: neither (400).
    """
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value < 2**40:
        return float(value)
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
        if found is not None and found.tzinfo is not None:
            return found.timestamp()
    raise Unreadable(400, f'{name} is neither a number of seconds since 1970 nor a time such as "2026-01-31T12:00:00Z"')


def number(text: str | None, default: int, most: int) -> int:
    """A whole number from a query.

    Raises:
        Unreadable: it is none, or not from 1 to `most` (400).
    """
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 1 <= int(text) <= most):
        raise Unreadable(400, f"a number from 1 to {most} is wanted")
    return int(text)


def document(one: Revocation) -> dict[str, object]:
    """An entry as it is shown."""
    name: dict[str, object] = {} if one.kind == "issuer" else {one.kind: one.name}
    cut = {} if one.cut is None else {"issued_before": one.cut}
    expires = {} if one.expires is None else {"expires_at": one.expires}
    who = {"issuer": one.issuer, "at": one.at, "by": one.by, "reason": one.reason}
    return {"version": one.version, "kind": one.kind, **name, **cut, **expires, **who}


def session_document(one: Session, own: str | None, now: float) -> dict[str, object]:
    """A session as it is shown.

    Args:
        one: the session.
        own: the id of the caller's.
        now: seconds since the epoch.
    """
    return {
        "id": one.id,
        "subject": one.subject,
        "created": one.created,
        "expires": one.expires,
        "last_seen": one.last_seen,
        "address": one.address,
        "agent": one.agent,
        "methods": list(one.methods),
        "ended": one.ended,
        "reason": one.reason,
        "live": one.ended is None and now < one.expires,
        "current": one.id == own,
    }


def answer(content: object, status: int = 200) -> Response:
    """A JSON answer that nobody keeps."""
    return JSONResponse(content, status, _NO_STORE)


def refused(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal of the endpoint's own (RFC 9457 §3)."""
    exchange = current_exchange()
    told: dict[str, object] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    told |= {"code": code, "detail": detail, "incident": "" if exchange is None else exchange.id}
    return JSONResponse(told, status, {**_NO_STORE, **(headers or {})}, media_type="application/problem+json")


def day(seconds: float) -> str:
    """A time as commands print it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _text(given: Mapping[str, object], name: str) -> str | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or "\0" in value or not _encodable(value):
        raise Unreadable(400, f"{name} is not a text of at most {_LONGEST_TEXT} characters")
    return value


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
