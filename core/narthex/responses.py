"""The only place that makes bytes of refusals and answers.

A refusal is `application/problem+json` (RFC 9457), or a page where a browser asks. It carries a stable code and
the incident id, which is the request id, and never a reason, a rule or exception text: those are the operator's.
"""

import html
import json
import math
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from narthex.asgi import Headers, Message, sendable
from narthex.ending import close_reason
from narthex.exchange import Exchange
from narthex.verdict import Answer, Deny, Header

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{status} {title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 18vh auto; padding: 0 1rem; color: #1c2733 }}
h1 {{ font-size: 1.5rem }} code {{ background: #eef2f6; padding: .1em .3em; border-radius: .2em }}
@media (prefers-color-scheme: dark) {{ body {{ background: #12181f; color: #dfe7ef }} code {{ background: #22303d }} }}
</style>
<h1>{title}</h1>
<p>This request was refused with status {status} and code <code>{code}</code>.</p>
<p>If you think it should have passed, give this number to whoever runs this site: <code>{incident}</code></p>
</html>
"""

CLOSE_REFUSED: Final = 1008  # RFC 6455 §7.4.1, policy violation

# A browser's Accept has about 150 characters; what lies far beyond is somebody playing.
_ACCEPT_LIMIT = 1000


def title(status: int) -> str:
    """The standard phrase of a status, or that of its class."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Client Error" if status < 500 else "Server Error"


def wants_page(headers: Headers) -> bool:
    """Whether a browser asks: text/html is named in Accept, and JSON is not preferred (RFC 9110 §12.5.1)."""
    accept = ",".join(headers.getlist("accept"))[:_ACCEPT_LIMIT].lower()
    if "text/html" not in accept:
        return False
    quality = {"text/html": 0.0, "json": 0.0}
    for part in accept.split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        kind = "text/html" if media == "text/html" else "json" if media.endswith(("/json", "+json")) else ""
        if kind:
            quality[kind] = max(quality[kind], _quality(parameters))
    return quality["text/html"] > 0 and quality["text/html"] >= quality["json"]


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                value = float(parameter[2:])
            except ValueError:
                return 0.0
            return value if 0 <= value <= 1 else 0.0
    return 1.0


def refusal(exchange: Exchange, deny: Deny) -> tuple[int, list[Header], bytes]:
    """Status, header fields and body of a Deny."""
    name, incident = title(deny.status), exchange.id
    if wants_page(exchange.headers):
        content_type = b"text/html; charset=utf-8"
        body = _PAGE.format(
            status=deny.status,
            title=html.escape(name),
            code=html.escape(deny.code),
            incident=html.escape(incident),
        ).encode(errors="xmlcharrefreplace")  # a code of half a surrogate pair must not cost the refusal
    else:
        content_type = b"application/problem+json"
        problem = {
            "type": "about:blank",
            "title": name,
            "status": deny.status,
            "code": deny.code,
            "incident": incident,
        }
        body = json.dumps(problem, separators=(",", ":")).encode()
    headers: list[Header] = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if content_type.startswith(b"text/html"):
        headers.append((b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"))
    own = _fit(deny.headers)
    given = {field.lower() for field, _ in own}
    headers += own
    if deny.status == HTTPStatus.UNAUTHORIZED and b"www-authenticate" not in given:
        headers.append((b"www-authenticate", b"Bearer"))  # RFC 9110 §15.5.2 requires a challenge
    if deny.retry_after is not None and math.isfinite(deny.retry_after) and b"retry-after" not in given:
        headers.append((b"retry-after", str(max(0, math.ceil(deny.retry_after))).encode()))
    return deny.status, headers, body


def answer(given: Answer) -> tuple[int, list[Header], bytes]:
    """Status, header fields and body of an Answer."""
    headers = _fit(given.headers)
    bodyless = given.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    if not bodyless and all(field.lower() != b"content-length" for field, _ in headers):
        headers.append((b"content-length", str(len(given.body)).encode()))
    return given.status, headers, b"" if bodyless else given.body


def _fit(fields: Iterable[object]) -> list[Header]:
    """The fields of a plugin's verdict that can be sent; the verdict stands without the others."""
    fit: list[Header] = []
    for field in fields:
        match field:
            case (bytes() as name, bytes() as value) if sendable(name, value):
                fit.append((name, value))
            case _:
                pass
    return fit


def whole(exchange: Exchange, verdict: Deny | Answer) -> list[Message]:
    """The messages that make a complete answer; puts the status on the exchange where they do not tell it."""
    kind = exchange.kind
    if kind == "websocket" and "websocket.http.response" not in (exchange.scope.get("extensions") or {}):
        reason = verdict.code if isinstance(verdict, Deny) else ""
        exchange.status = verdict.status
        return [{"type": "websocket.close", "code": CLOSE_REFUSED, "reason": close_reason(reason)}]
    status, headers, content = refusal(exchange, verdict) if isinstance(verdict, Deny) else answer(verdict)
    return [start(kind, status, headers), body(kind, b"" if exchange.method == "HEAD" else content)]


def start(kind: str, status: int, headers: list[Header]) -> Message:
    """The first message of a whole response; for a websocket, of its denial response."""
    prefix = "http.response" if kind == "http" else "websocket.http.response"
    return {"type": f"{prefix}.start", "status": status, "headers": headers}


def body(kind: str, content: bytes) -> Message:
    """The second and last message of a whole response."""
    prefix = "http.response" if kind == "http" else "websocket.http.response"
    return {"type": f"{prefix}.body", "body": content, "more_body": False}
