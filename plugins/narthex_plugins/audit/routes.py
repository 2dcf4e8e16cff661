"""The endpoints: a page of the log, and all of it. They read, and change nothing."""

import math
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from narthex import Route
from narthex.context import current_exchange
from narthex.errors import DependencyError
from narthex_plugins.audit.exporting import MEDIA, Format
from narthex_plugins.audit.querying import Query, Reader, Row, Unreadable, query_of
from narthex_plugins.audit.settings import AuditSettings
from narthex_plugins.audit.wholeness import export

READ: Final = "audit:read"
EXPORT: Final = "audit:export"
FILTERS: Final = ("actor", "action", "outcome", "resource", "session", "address", "request_id")
MOST: Final = 1000
_TIMES: Final = ("since", "until")
_NUMBER: Final = re.compile(r"[0-9]{1,4}")
_NO_STORE: Final = {"cache-control": "no-store"}


class Endpoints:
    """Serves them."""

    def __init__(self, settings: AuditSettings, reader: Reader) -> None:
        self._path = settings.path
        self._reader = reader

    def routes(self) -> list[Route]:
        """What is served, where, and who may."""
        path = self._path
        return [
            Route(path=path, endpoint=self.list, access=READ, summary="Audit records, newest first."),
            Route(path=f"{path}/export", endpoint=self.export, access=EXPORT, summary="Audit records as a file."),
        ]

    async def list(self, request: Request) -> Response:
        """A page: `limit` at most 1000, `cursor` as the page before gave it, and whatever is looked for."""
        given = request.query_params
        try:
            query = asked(given, {"limit", "cursor"})
            found = await self._reader.page(query, _limit(given.get("limit")), given.get("cursor", ""))
        except Unreadable as error:
            return _refused(400, "request_invalid", str(error))
        except DependencyError as error:
            return _unanswered(error)
        return JSONResponse({"records": [document(row) for row in found.rows], "next": found.following}, 200, _NO_STORE)

    async def export(self, request: Request) -> Response:
        """All that fits, oldest first, as JSON Lines or CSV by `format`."""
        given = request.query_params
        try:
            query, kind = asked(given, {"format"}), format_of(given.get("format", "jsonl"))
        except Unreadable as error:
            return _refused(400, "request_invalid", str(error))
        try:
            stream = self._stream(kind, query)
            first = await anext(stream)  # a store that does not answer is said before the answer begins
        except DependencyError as error:
            return _unanswered(error)
        name = f"audit-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{kind}"
        headers = {**_NO_STORE, "content-disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(_chained(first, stream), 200, headers, media_type=MEDIA[kind])

    async def _stream(self, kind: Format, query: Query) -> AsyncIterator[bytes]:
        async for _, some in export(self._reader, query, kind):
            yield some


def format_of(text: str) -> Format:
    """Which of the two forms.

    Raises:
        Unreadable: it is none of them.
    """
    if text == "csv":
        return "csv"
    if text != "jsonl":
        raise Unreadable('format: write "jsonl" or "csv"')
    return "jsonl"


def asked(given: Mapping[str, str], also: set[str]) -> Query:
    """The query that parameters make.

    Raises:
        Unreadable: one is unknown, or is no time.
    """
    unknown = sorted(set(given) - {*FILTERS, *_TIMES, *also})
    if unknown:  # a filter with a slip of the pen would show what was not asked for
        known = ", ".join(sorted({*FILTERS, *_TIMES, *also}))
        raise Unreadable(f"{unknown[0][:40]}: there is no such parameter; there are {known}")
    moments = {name: moment(given[name]) if given.get(name) else None for name in _TIMES}
    return query_of({name: given.get(name) for name in FILTERS}, moments)


def moment(text: str) -> float:
    """Seconds since the epoch of 2026-01-31 or 2026-01-31T12:00:00Z; UTC unless it says otherwise.

    Raises:
        Unreadable: it is no time.
    """
    try:
        found = datetime.fromisoformat(text)
        seconds = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        seconds = -1.0
    if seconds < 0:
        raise Unreadable(f"{text[:40]!r} is no time: write 2026-01-31 or 2026-01-31T12:00:00Z")
    return seconds


def document(row: Row) -> dict[str, object]:
    """A record as the endpoint shows it."""
    return {"position": row.position, "chain": row.chain, "sequence": row.sequence, **row.facts}


def _limit(text: str | None) -> int:
    if not text:
        return 100
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= MOST:
        raise Unreadable(f"limit: write a number from 1 to {MOST}")
    return int(text)


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for more in rest:
        yield more


def _unanswered(error: DependencyError) -> Response:
    after = {"retry-after": str(max(1, math.ceil(error.retry_after or 1)))}
    return _refused(503, error.code, "the store does not answer", after)


def _refused(status: int, code: str, why: str, headers: Mapping[str, str] | None = None) -> Response:
    exchange = current_exchange()
    body: dict[str, object] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    body |= {"code": code, "detail": why, "incident": "" if exchange is None else exchange.id}
    return JSONResponse(body, status, {**_NO_STORE, **(headers or {})}, media_type="application/problem+json")
