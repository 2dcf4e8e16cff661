"""Driving an ASGI app without a server: every message in order, nothing normalised."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from narthex.asgi import ASGIApp, Headers, Message, Scope
from narthex.testing.identity import must_be_asked

HeaderPairs = Iterable[tuple[str, str]]


@dataclass(slots=True)
class Reply:
    """What an app sent.

    Attributes:
        messages: every ASGI message, in order.
        error: the exception that left the app, or None.
    """

    messages: list[Message] = field(default_factory=list[Message])
    error: BaseException | None = None

    @property
    def starts(self) -> list[Message]:
        """The response starts; more than one is a fault."""
        kinds = ("http.response.start", "websocket.http.response.start")
        return [message for message in self.messages if message["type"] in kinds]

    @property
    def status(self) -> int | None:
        """Status of the response, or None where there was none."""
        return self.starts[0]["status"] if self.starts else None

    @property
    def headers(self) -> Headers:
        """Header fields of the response."""
        return Headers(self.starts[0].get("headers", ()) if self.starts else ())

    @property
    def body(self) -> bytes:
        """The whole body."""
        kinds = ("http.response.body", "websocket.http.response.body")
        return b"".join(message.get("body", b"") for message in self.messages if message["type"] in kinds)

    def json(self) -> Any:
        """The body, read as JSON.

        Raises:
            ValueError: it is none.
        """
        return json.loads(self.body)

    @property
    def texts(self) -> list[str]:
        """The texts that the app sent over a websocket, in order."""
        sent = (message.get("text") for message in self.messages if message["type"] == "websocket.send")
        return [text for text in sent if text is not None]

    @property
    def complete(self) -> bool:
        """Whether the last chunk of the body was sent."""
        return any(
            message["type"].endswith("http.response.body") and not message.get("more_body", False)
            for message in self.messages
        )


def http_scope(method: str, target: str, headers: HeaderPairs = (), **more: Any) -> Scope:
    """An HTTP scope as a server would make it; keys given in `more` win."""
    raw, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw),
        "raw_path": raw.encode("latin-1", "replace"),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "extensions": {},
        **more,
    }


def websocket_scope(target: str, headers: HeaderPairs = (), *, denial: bool = True, **more: Any) -> Scope:
    """A websocket scope; `denial` says whether the server offers HTTP denial responses."""
    scope = http_scope("GET", target, headers)
    del scope["method"]
    extensions: dict[str, dict[str, Any]] = {"websocket.http.response": {}} if denial else {}
    return {
        **scope,
        "type": "websocket",
        "scheme": "ws",
        "subprotocols": [],
        "extensions": extensions,
        **more,
    }


async def drive(app: ASGIApp, scope: Scope, incoming: Sequence[Message], limit: float = 10.0) -> Reply:
    """Run the app over `incoming`; after the last message `receive` waits for ever.

    Raises:
        TimeoutError: the app was still running after `limit` seconds.
        LookupError: inside `as_identity`, and the house has no identifier that knows of it.
    """
    must_be_asked(app)
    reply = Reply()
    waiting = list(incoming)

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        reply.messages.append(message)

    async with asyncio.timeout(limit):
        try:
            await app(scope, receive, send)
        except Exception as error:  # noqa: BLE001  what leaves the app is the result
            reply.error = error
    return reply


async def request(
    app: ASGIApp, method: str, target: str, headers: HeaderPairs = (), body: bytes = b"", **more: Any
) -> Reply:
    """One HTTP request with a whole body, followed by a disconnect."""
    incoming: list[Message] = [
        {"type": "http.request", "body": body, "more_body": False},
        {"type": "http.disconnect"},
    ]
    return await drive(app, http_scope(method, target, headers, **more), incoming)


async def websocket(
    app: ASGIApp, target: str, texts: Iterable[str] = (), headers: HeaderPairs = (), **more: Any
) -> Reply:
    """One websocket: connect, some texts, disconnect."""
    incoming: list[Message] = [
        {"type": "websocket.connect"},
        *({"type": "websocket.receive", "text": text} for text in texts),
        {"type": "websocket.disconnect", "code": 1000, "reason": ""},
    ]
    return await drive(app, websocket_scope(target, headers, **more), incoming)
