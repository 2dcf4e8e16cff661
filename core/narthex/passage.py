"""An exchange on its walk: the one `send` and `receive` that stand between server and app.

States of the response, as far as this end sees it:

    waiting --start/accept--> started --last body/close--> done
       |                         |
       | a Deny stands           | a Deny stands: muted, the response is cut without its last chunk
       v                         | the house ends it: last chunk or close frame, then muted (see `ending`)
    the refusal is written,      v
    the app's own is muted     done

Muted, what the app sends is dropped. Every start the client sees passes `_begin`, so it is witnessed and gets the
plugins' headers exactly once.
"""

import asyncio
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from narthex import responses
from narthex.asgi import Message, Receive, Send
from narthex.ending import Ending, Gone, close_reason
from narthex.events import EventBus
from narthex.exchange import Exchange
from narthex.stages import StageRunner
from narthex.verdict import Answer, Deny

CLOSE_REFUSED: Final = 1008  # RFC 6455 §7.4.1, policy violation
INTENT_UNRECORDED: Final = Deny(503, "intent_unrecorded", "a witness could not keep its record", retry_after=1)
_UNRECORDED: Final = Deny(503, "outcome_unrecorded", "a witness could not keep its record", retry_after=1)

_WAITING, _STARTED, _DONE = range(3)


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What all passages of one walk share.

    Attributes:
        runner: calls the hooks.
        events: hears of an exchange that the house ended.
        now: the wall clock, which `exp` is told by.
        monotonic: the clock that exchanges are timed by.
        until_expiry: a long-lived exchange ends with its token.
    """

    runner: StageRunner
    events: EventBus
    now: Callable[[], float]
    monotonic: Callable[[], float]
    until_expiry: bool


class Passage:
    """Carries one exchange's messages; made for exchanges that some plugin or guard cares about.

    Attributes:
        task: walks it, once the app has been entered; an app that does not notice its end is cancelled by it.
        connected: the server has said `websocket.connect`.
        ending: how it is ended, once there is reason to think of it.
    """

    __slots__ = (
        "_headers",
        "_long",
        "_muted",
        "_own",
        "_phase",
        "_receive",
        "_receiving",
        "_refused",
        "_replaced",
        "_send",
        "_terms",
        "_woken",
        "connected",
        "ending",
        "exchange",
        "task",
    )

    def __init__(self, exchange: Exchange, receive: Receive, send: Send, terms: Terms) -> None:
        self.exchange = exchange
        self.task: asyncio.Task[object] | None = None
        self.connected = False
        self._receive = receive
        self._send = send
        self._terms = terms
        self._phase = _WAITING
        self._muted = False
        self._own = False
        self._refused = False
        self._replaced = False
        self._long = False
        self._headers: Sequence[tuple[bytes, bytes]] = ()
        self.ending: Ending | None = None
        self._receiving: asyncio.Task[object] | None = None
        self._woken = False

    @property
    def started(self) -> bool:
        """Whether the client has seen the start of a response."""
        return self._phase != _WAITING

    @property
    def refused(self) -> bool:
        """Whether what the client saw is a refusal of the house."""
        return self._refused

    @property
    def complete(self) -> bool:
        """Whether nothing more is owed to the client."""
        return self._phase == _DONE

    @property
    def ended(self) -> bool:
        """Whether the house has ended this exchange, so that the app stumbles over what it sends."""
        return self._muted and self._ordered is not None

    @property
    def cancelled(self) -> bool:
        """Whether the app's task was cancelled because it did not notice the end."""
        return self.ending is not None and self.ending.cancelled

    @property
    def _ordered(self) -> tuple[str, int] | None:
        return None if self.ending is None else self.ending.order

    async def receive(self) -> Message:
        """The server's next message, its payload counted; a disconnect once the house has ended the exchange."""
        muted = self._muted
        if muted:
            return self._disconnect()
        self._receiving = task = asyncio.current_task()
        try:
            message: Message | None = await self._receive()
        except asyncio.CancelledError:
            if not self._woken or task is None or task.uncancel():
                raise
            message = None
        finally:
            self._receiving = None
        if message is None or self._muted:  # what the client still said does not reach it
            return self._disconnect()
        kind = message["type"]
        if kind == "http.request":
            self.exchange.bytes_in += len(message.get("body") or b"")
        elif kind == "websocket.receive":
            self.exchange.bytes_in += _payload(message)
        elif kind == "websocket.connect":
            self.connected = True
        return message

    async def send(self, message: Message) -> None:
        """Pass a message of the app, a plugin's endpoint or a wrapper to the client.

        What is no message of such an exchange passes too: it is the server's to judge.
        """
        kind = _kind(message)
        exchange = self.exchange
        deny = exchange.verdict
        unheard = self._muted or (isinstance(deny, Deny) and not self._own)
        if unheard and not await self._may_pass(message, kind):
            return
        is_http = exchange.kind == "http"
        if kind == "http.response.body" or kind == "websocket.http.response.body":
            exchange.bytes_out += _size(message.get("body"))
            if self._chunk_passes(message):
                await self._send(message)
        elif kind in _STARTS and (kind == "http.response.start") == is_http:
            await self._begin(message, _STARTS[kind])
        elif kind == "websocket.send":
            exchange.bytes_out += _payload(message)
            await self._send(message)
        elif kind == "websocket.close" and not is_http:
            await self._closed_by_app(message)
        elif kind not in _PAYLOADS or self._chunk_passes(message):
            await self._send(message)

    async def _may_pass(self, message: Message, kind: str | None) -> bool:
        """Judge a message of an app that is not heard any more, or inside which a guard has refused."""
        if self._muted:
            if self._ordered is not None or kind == "websocket.send" or (kind and message.get("more_body")):
                raise Gone("the exchange was ended")  # or an app that only ever sends would never stop
            return False
        deny = self.exchange.verdict
        if isinstance(deny, Deny) and self._phase == _WAITING:  # whatever the app makes of the refusal
            if kind in _STARTS or kind == "websocket.close":
                await self._replace(deny)
            return False
        if kind != "websocket.close":
            await self.cut()
            return False
        return True

    def _chunk_passes(self, message: Message) -> bool:
        """Note that a piece of the body passes; False where nothing of the stream may leave."""
        if self._phase == _WAITING:  # the app's mistake, and the server's to judge; a start may still come
            return True
        if not message.get("more_body", False):
            self._finished()
        elif not self._long:
            self._begin_long()
            return self._ordered is None  # else it was ended before its first chunk
        return True

    async def finish(self, verdict: Deny | Answer, send: Send, *, record: bool = True) -> None:
        """Answer in place of the app.

        Args:
            verdict: what to answer.
            send: where the answer goes: this passage's `send`, or what outside wrappers made of it.
            record: whether it is the exchange's verdict (not so for an app's own error).
        """
        if self._phase != _WAITING:
            return  # a wrapper walks a second time, and the client has its answer
        exchange = self.exchange
        self._own = True
        if record:
            exchange.verdict = verdict
            if isinstance(verdict, Deny):
                self._refused = True
                self._terms.runner.refused(exchange, verdict)
        if exchange.kind == "websocket" and not self.connected:
            message = await self.receive()
            if message["type"] != "websocket.connect":
                return
        emit = send
        if send == self.send:  # nothing in between: no sender but this one is heard from here on
            self._muted, emit = True, self._emit
        for message in self._whole(verdict):
            await emit(message)
        self._own, self._muted = record, True

    async def _emit(self, message: Message) -> None:
        """Send a message of the house's own answer, whatever the app may try meanwhile."""
        kind = message["type"]
        if kind in _STARTS:
            await self._begin(message, _STARTS[kind])
        elif kind == "websocket.close":
            await self._closed_by_app(message)
        elif not self._replaced:
            self.exchange.bytes_out += len(message["body"])
            if self._chunk_passes(message):
                await self._send(message)

    def _whole(self, verdict: Deny | Answer) -> list[Message]:
        """The messages of a complete response."""
        exchange = self.exchange
        kind = exchange.kind
        if kind == "websocket" and "websocket.http.response" not in (exchange.scope.get("extensions") or {}):
            reason = verdict.code if isinstance(verdict, Deny) else ""
            exchange.status = verdict.status
            return [{"type": "websocket.close", "code": CLOSE_REFUSED, "reason": close_reason(reason)}]
        if isinstance(verdict, Deny):
            status, headers, body = responses.refusal(exchange, verdict)
        else:
            status, headers, body = responses.answer(verdict)
        if exchange.method == "HEAD":
            body = b""
        return [responses.start(kind, status, headers), responses.body(kind, body)]

    async def _begin(self, message: Message, status: int | None) -> None:
        """Let a start through: witnessed, with the plugins' headers."""
        exchange = self.exchange
        if self._phase != _WAITING:  # the app's mistake, and the server's to judge
            if not self._own or exchange.status is None:
                await self._send(message)
            return  # no mistake where the house has answered: a task of the app cannot know
        if status == 101 and self._ordered is not None:
            await self._replace(Deny(401, "session_ended", self._ordered[0]))
            return
        plan = exchange.plan
        exchange.status = message.get("status") if status is None else status
        kept = not plan.witness or await self._terms.runner.witness(exchange, plan.witness)
        if not kept and exchange.verdict is not INTENT_UNRECORDED:
            await self._replace(_UNRECORDED)
            return
        if plan.respond:
            extra = await self._terms.runner.headers(exchange, plan.respond)
            if extra:
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
        headers: Any = message.get("headers", ())
        if type(headers) is not list and type(headers) is not tuple:  # an iterator can be read once only
            headers = list(headers)
            message = {**message, "headers": headers}
        self._phase, self._headers = _STARTED, headers
        try:
            await self._send(message)
        except (TypeError, ValueError, LookupError, AttributeError):
            # The server could make nothing of it, so nothing was sent: whatever starts next is a start like any other.
            self._phase = _WAITING
            raise
        # An event stream may wait for its first chunk; others are known by it.
        if status == 101 or ((self.ending is not None or self._expires) and self.lives_long):
            self._begin_long()

    async def _replace(self, deny: Deny) -> None:
        """Write a refusal where the app, or an answer that may not leave, wanted to start."""
        exchange = self.exchange
        unrecorded = deny is _UNRECORDED
        self._muted = self._refused = self._replaced = True
        exchange.verdict, exchange.status = deny, deny.status
        plan = exchange.plan
        if plan.witness and not unrecorded and not await self._terms.runner.witness(exchange, plan.witness):
            deny = exchange.verdict = _UNRECORDED
        self._terms.runner.refused(exchange, deny)
        self._phase = _STARTED  # also where the server raises on the way: a second answer would be one too many
        for message in self._whole(deny):
            exchange.bytes_out += len(message.get("body") or b"")
            extra = await self._terms.runner.headers(exchange, plan.respond) if message["type"] in _STARTS else []
            if extra:
                message["headers"] = [*message["headers"], *extra]
            await self._send(message)
        exchange.status = deny.status
        self._finished()

    async def _closed_by_app(self, message: Message) -> None:
        """Pass the app's close on; before the accept it is a refusal of the app's own, status 403."""
        exchange = self.exchange
        if self._phase == _WAITING:
            if not self._own:
                exchange.status = 403
            witnesses = exchange.plan.witness
            if witnesses and not await self._terms.runner.witness(exchange, witnesses) and not self._own:
                await self._replace(_UNRECORDED)
                return
        self._finished()
        await self._send(message)

    async def cut(self) -> None:
        """A guard refused after the response had started: say no more, and leave it without its last chunk."""
        if self._muted:
            return
        self._muted = True
        exchange = self.exchange
        if isinstance(exchange.verdict, Deny):
            self._terms.runner.refused(exchange, exchange.verdict)
        if exchange.status == 101 and self._phase == _STARTED:
            self._finished()
            await self._send({"type": "websocket.close", "code": CLOSE_REFUSED, "reason": ""})

    def _finished(self) -> None:
        self._phase = _DONE
        self.exchange.ended = self._terms.monotonic()
        if self.ending is not None:
            self.ending.forget()

    async def said(self) -> None:
        """Wait until the house has sent the last message of an exchange that it is ending."""
        if self.ending is not None:
            await self.ending.said()

    def left(self) -> None:
        """The walk is over."""
        if self.exchange.bytes_out and self.exchange.method == "HEAD":
            self.exchange.bytes_out = 0  # whatever the app gave, the server sends no body (RFC 9110 §9.3.2)
        self._phase = _DONE
        self.task = None
        if self.ending is not None:
            self.ending.forget()

    # -- ending what lives long

    @property
    def lives_long(self) -> bool:
        """Whether a socket is open, or a stream has begun and has more to come."""
        return self._phase == _STARTED and (self._long or _is_event_stream(self._headers))

    @property
    def open_ended(self) -> bool:
        """Whether it lives long and nothing says when it will end by itself: an open socket or event stream."""
        return self.lives_long and (self.exchange.kind == "websocket" or _is_event_stream(self._headers))

    @property
    def sized(self) -> bool:
        """Whether the response has said how long it is, so that it cannot be ended early and be whole."""
        return any(len(name) == 14 and name.lower() == b"content-length" for name, _ in self._headers)

    @property
    def _expires(self) -> bool:
        identity = self.exchange.identity
        return identity is not None and identity.expires_at is not None and self._terms.until_expiry

    def end(self, reason: str, code: int = 4401) -> None:
        """Close the websocket or end the stream. An answer in one piece is left alone; before the start it is noted.

        Safe from any thread.
        """
        if self._phase != _DONE:
            self._end().give_order(reason, code)

    def hang_up(self) -> None:
        """Hear the app no more, and wake it where it waits for the client.

        Before the last message is sent: granian holds a close frame back for as long as a `receive` is pending.
        """
        self._muted = True
        if self._receiving is not None and not self._woken:
            self._woken = True
            self._receiving.cancel()

    async def say_last(self, message: Message | None) -> None:
        """Send the client the last message, if there is one to send."""
        self._finished()
        if message is not None:
            await self._send(message)

    def _begin_long(self) -> None:
        """The exchange turns out to live long: a websocket, or a stream with more to come."""
        self._long = True
        if self._ordered is not None:
            self._end().hang_up()
        elif self._expires:
            self._end().expire()

    def _end(self) -> Ending:
        if self.ending is None:
            self.ending = Ending(self, self._terms.events, self._terms.now)
        return self.ending

    def _disconnect(self) -> Message:
        if self.exchange.kind == "http":
            return {"type": "http.disconnect"}
        return {
            "type": "websocket.disconnect",
            "code": self._ordered[1] if self._ordered else 1006,
            "reason": "",
        }


_STARTS: Final[dict[str, Literal[101] | None]] = {
    "http.response.start": None,
    "websocket.http.response.start": None,
    "websocket.accept": 101,
}
_MESSAGES: Final = (dict, MutableMapping)  # the usual one first: to ask the ABC costs 0.4 µs
_PAYLOADS: Final = frozenset(
    {
        "http.response.body",
        "http.response.pathsend",
        "http.response.zerocopysend",
        "websocket.http.response.body",
        "websocket.send",
    }
)


def _kind(message: object) -> str | None:
    """The type of a message; None for what is none, which the server, and not we, must stumble over."""
    if not isinstance(message, _MESSAGES):
        return None
    kind: object = cast("Message", message).get("type")
    return kind if isinstance(kind, str) else None


def _is_event_stream(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    for name, value in headers:  # where somebody is known every start is looked at: a generator would cost 0.3 µs more
        if len(name) == 12 and name.lower() == b"content-type" and value[:17].lower() == b"text/event-stream":
            return True
    return False


def _payload(message: Message) -> int:
    data = message.get("bytes")
    if data is not None:
        return _size(data)
    words = message.get("text")
    if not isinstance(words, str):
        return 0
    return len(words) if words.isascii() else len(words.encode(errors="replace"))


def _size(data: Any) -> int:
    """Bytes of a payload; what is none, the server judges."""
    if isinstance(data, (bytes, bytearray)):
        return len(data)
    return data.nbytes if isinstance(data, memoryview) else 0
