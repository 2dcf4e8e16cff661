"""The endpoints: server-sent events, the websocket, and publishing."""

import json
import math
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from narthex import AUTHENTICATED, PUBLIC, House, Identity, Route
from narthex.context import current_exchange
from narthex.errors import DependencyError
from narthex.events import Event
from narthex_plugins.events.asking import Interest, Unreadable, interest
from narthex_plugins.events.event import EventError
from narthex_plugins.events.hub import Hub
from narthex_plugins.events.publishing import Publisher
from narthex_plugins.events.rules import AUTHENTICATED as ANYBODY_KNOWN
from narthex_plugins.events.rules import PUBLIC as ANYBODY
from narthex_plugins.events.rules import Rules
from narthex_plugins.events.settings import EventsSettings
from narthex_plugins.events.streaming import HEADERS, TRY_AGAIN_LATER, Streams

_NO_STORE: Final = {"cache-control": "no-store"}
_POLICY: Final = 1008
"""Close code of a websocket that is refused where the server knows no other way (RFC 6455 §7.4.1)."""


class Refusal(Exception):
    """A request that is refused; its text is for the caller."""

    def __init__(self, status: int, code: str, why: str, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.code = code
        self.retry_after = retry_after


class Endpoints:
    """Serves the plugin's endpoints."""

    def __init__(
        self, settings: EventsSettings, house: House, rules: Rules, hub: Hub, streams: Streams, publisher: Publisher
    ) -> None:
        self._settings = settings
        self._house = house
        self._rules = rules
        self._hub = hub
        self._streams = streams
        self._publisher = publisher

    def routes(self) -> list[Route]:
        """What is served, where, and who may. Of each topic that is asked for, the endpoints see to it themselves."""
        path = self._settings.path
        access = PUBLIC if self._rules.any_public else AUTHENTICATED
        return [
            Route(path=path, endpoint=self.sse, access=access, summary="Server-sent events."),
            Route(
                path=path, endpoint=self.publish, access=AUTHENTICATED, methods=("POST",), summary="Publish an event."
            ),
            Route(
                path=f"{path}/ws",
                endpoint=self.websocket,
                access=access,
                kind="websocket",
                summary="Events, one JSON object a line.",
            ),
        ]

    async def sse(self, request: Request) -> Any:
        """Stream events; see docs/reference/plugins/events.md for the query."""
        try:
            wanted, identity, who = self._admitted(request)
        except Refusal as refusal:
            return _problem(refusal)
        if request.method == "HEAD":
            return Response(headers={name.decode(): value.decode() for name, value in HEADERS})
        left = request.headers.get("last-event-id") or request.query_params.get("last_event_id", "")
        return partial(self._stream, wanted, identity, who, left)

    async def _stream(
        self,
        wanted: Interest,
        identity: Identity | None,
        who: str,
        left: str,
        _scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        await self._streams.sse(wanted, identity, who, left, receive, send)

    async def websocket(self, websocket: WebSocket) -> None:
        """The same on a websocket."""
        try:
            wanted, identity, who = self._admitted(websocket)
        except Refusal as refusal:
            if "websocket.http.response" in websocket.scope.get("extensions", {}):
                await websocket.send_denial_response(_problem(refusal))
            else:
                await websocket.close(_POLICY if refusal.status < 500 else TRY_AGAIN_LATER, refusal.code)
            return
        left = websocket.headers.get("last-event-id") or websocket.query_params.get("last_event_id", "")
        await websocket.accept()
        receive, send = websocket._receive, websocket._send  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  its own say a second time what the house has said
        await self._streams.websocket(wanted, identity, who, left, receive, send)

    async def publish(self, request: Request) -> Response:
        """Publish `{"topic": ..., "data": ..., "key": ...}`; 201 with its id once it is kept, 202 where it is not."""
        try:
            topic, data, key = await self._read(request)
            exchange = current_exchange()
            self._must_publish(topic, self._rules.of(topic).publish, None if exchange is None else exchange.identity)
            event = self._publisher.made(topic, data, key, None if exchange is None else exchange.id)
            await self._publisher.publish(event)
        except Refusal as refusal:
            return _problem(refusal)
        except EventError as error:
            return _problem(Refusal(400, "event_invalid", str(error)))
        except DependencyError as error:
            return _problem(
                Refusal(503, error.code, "the store does not answer; the event may have been kept", error.retry_after)
            )
        body: dict[str, object] = {"id": event.id} if event.version else {}
        return JSONResponse(body, 201 if event.version else 202, _NO_STORE)

    def _must_publish(self, topic: str, needed: str, identity: Identity | None) -> None:
        if not self._may(identity, needed):
            raise Refusal(403, "permission_denied", f"publishing {topic} needs {needed}")
        if _is_the_houses(topic):
            raise Refusal(403, "topic_reserved", f"{topic} is what the house itself tells")

    async def _read(self, request: Request) -> tuple[str, object, str | None]:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refusal(415, "request_invalid", "the body is not application/json")
        body, most = b"", self._settings.largest + 1024
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise Refusal(413, "request_invalid", f"the body has more than {most} bytes")
        try:
            given: object = json.loads(body)
        except (ValueError, RecursionError):
            raise Refusal(400, "request_invalid", "the body is not JSON") from None
        if not isinstance(given, dict):
            raise Refusal(400, "request_invalid", "the body is not a JSON object")
        fields = cast("dict[str, object]", given)
        topic, key = fields.get("topic"), fields.get("key")
        if fields.keys() - {"topic", "data", "key"} or not isinstance(topic, str) or "data" not in fields:
            raise Refusal(400, "request_invalid", "an event is topic, data and, if you like, key")
        if key is not None and not isinstance(key, str):
            raise Refusal(400, "request_invalid", "key is a string")
        return topic, fields["data"], key

    def _admitted(self, connection: HTTPConnection) -> tuple[Interest, Identity | None, str]:
        """What is asked for, by whom.

        Raises:
            Refusal: it cannot be read, or may not be, or there is no room.
        """
        query = connection.query_params
        try:
            wanted = interest(query.getlist("topic"), query.get("key"), query.getlist("where"))
        except Unreadable as unreadable:
            raise Refusal(400, "request_invalid", str(unreadable)) from None
        exchange = current_exchange()
        identity = None if exchange is None else exchange.identity
        for pattern in wanted.patterns:
            try:
                lacking = self._rules.lacking(pattern, lambda needed: self._may(identity, needed))
            except DependencyError as error:
                raise Refusal(503, error.code, "who may read cannot be said", error.retry_after) from None
            if lacking and identity is None:
                raise Refusal(401, "authentication_required", f"reading {pattern} needs a caller who is known")
            if lacking:
                raise Refusal(403, "permission_denied", f"reading {pattern} needs {lacking}")
        if identity is not None:
            who = f"{identity.issuer} {identity.subject}"
        else:
            who = f"address {exchange.client if exchange is not None else None}"
        if len(self._hub) >= self._settings.streams:
            raise Refusal(503, "streams_full", "too many streams are open", self._settings.retry)
        if self._hub.of(who) >= self._settings.streams_each:
            raise Refusal(429, "streams_full", "too many streams of yours are open", self._settings.retry)
        return wanted, identity, who

    def _may(self, identity: Identity | None, needed: str) -> bool:
        if needed == ANYBODY:
            return True
        if identity is None:
            return False
        return needed == ANYBODY_KNOWN or self._house.permissions().has_permission(identity, needed)


def _is_the_houses(topic: str) -> bool:
    """Whether only the house tells such events, so that nobody else may."""
    return topic.startswith("narthex.") or topic in _topics(Event)


def _topics(kind: type[Event]) -> set[str]:
    return {kind.topic}.union(*(_topics(below) for below in kind.__subclasses__()))


def _problem(refusal: Refusal) -> Response:
    exchange = current_exchange()
    body: dict[str, object] = {"type": "about:blank", "title": HTTPStatus(refusal.status).phrase}
    body |= {"status": refusal.status, "code": refusal.code, "detail": str(refusal)}
    body |= {"incident": "" if exchange is None else exchange.id}
    headers: Mapping[str, str] = _NO_STORE
    if refusal.retry_after is not None:
        headers = {**_NO_STORE, "retry-after": str(max(1, math.ceil(refusal.retry_after)))}
    if refusal.status == 401:
        headers = {**headers, "www-authenticate": "Bearer"}
    return JSONResponse(body, refusal.status, headers, media_type="application/problem+json")
