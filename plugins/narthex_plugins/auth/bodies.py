"""What the endpoints read and write: JSON or an OAuth form in, JSON out, never cached.

Refusals have the body of RFC 6749 §5.2, an `error` and its `error_description`, with the exchange's id beside them.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from narthex.context import current_exchange
from narthex_plugins.auth.strict import parse_object

LARGEST: Final = 64 * 1024
"""Bytes of a body: room for the largest token that the settings allow, percent-encoded or not."""
_FIELDS: Final = 32
_NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}
_FORM: Final = "application/x-www-form-urlencoded"


class Unreadable(Exception):
    """A body that cannot be read.

    Attributes:
        status: to answer with.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


async def fields_of(request: Request) -> Mapping[str, str]:
    """The body's fields as text; a JSON `true` is "true".

    Raises:
        Unreadable: too large (413), neither JSON nor a form (415), malformed, or a field twice (400, RFC 6749 §3.2).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await _body(request)
    if kind == "application/json":
        return _from_json(body)
    if kind == _FORM:
        return _from_form(body)
    raise Unreadable(415, f"the body is neither application/json nor {_FORM}")


async def _body(request: Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST:
            raise Unreadable(413, f"the body has more than {LARGEST} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _from_json(body: bytes) -> Mapping[str, str]:
    try:
        members = parse_object(body)
    except ValueError:  # whose text may be that of the decoder, which is not for callers
        raise Unreadable(400, "the body is not a JSON object, or not one with a single meaning") from None
    fields: dict[str, str] = {}
    for name, value in members.items():
        if isinstance(value, bool):
            fields[name] = "true" if value else "false"
        elif isinstance(value, str):
            fields[name] = value
        elif value is not None:
            raise Unreadable(400, f"{name[:40]} is not text")
    return fields


def _from_form(body: bytes) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=_FIELDS,
        )
    except ValueError:
        raise Unreadable(400, "the body is not a form") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Unreadable(400, "a field occurs twice")
    return fields


def answer(content: Mapping[str, object], status: int = 200) -> Response:
    """A JSON answer that nobody keeps (RFC 6749 §5.1)."""
    return JSONResponse(dict(content), status, _NO_STORE)


def refused(status: int, error: str, description: str, *, retry_after: float | None = None) -> Response:
    """A refusal (RFC 6749 §5.2)."""
    exchange = current_exchange()
    incident = {} if exchange is None else {"incident": exchange.id}
    response = answer({"error": error, "error_description": description, **incident}, status)
    if retry_after is not None:
        response.headers["retry-after"] = str(max(1, -int(-retry_after // 1)))
    return response
