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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from narthex import responses
from narthex.asgi import Message, Receive, Send
from narthex.ending import Ending, Gone
from narthex.events import EventBus
from narthex.exchange import Exchange
from narthex.messages import PAYLOADS, STARTS, is_event_stream, is_sound, kind_of, payload, size
from narthex.stages import StageRunner
from narthex.verdict import Answer, Deny, Header

INTENT_UNRECORDED: Final = Deny(503, "intent_unrecorded", "a witness could not keep its record", retry_after=1)
_UNRECORDED: Final = Deny(503, "outcome_unrecorded", "a witness could not keep its record", retry_after=1)

_WAITING, _STARTED, _DONE = range(3)
_DICT: Final[type[object]] = dict  # what is compared with these keeps the type that it is declared with
_LIST: Final[type[object]] = list
_UNSENT: Final = (TypeError, ValueError, LookupError, AttributeError)
"""What a server raises that could make nothing of a message: nothing was sent, and whatever starts next is a start."""


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
        special: it is not only to be carried from the app to the server: a websocket, an answer of the house, an end.
        connected: the server has said `websocket.connect`.
        ending: how it is ended, once there is reason to think of it.
    """

    # Every request pays for a slot and for what is put into it. What few of them need is an attribute of the class,
    # until one of them needs it.
    __slots__ = (
        "__dict__",
        "_headers",
        "_phase",
        "_receive",
        "_receiving",
        "_send",
        "_terms",
        "exchange",
        "special",
        "task",
    )
    connected: bool = False
    ending: Ending | None = None
    _muted: bool = False
    _own: bool = False
    _refused: bool = False
    _replaced: bool = False
    _long: bool = False
    _woken: "asyncio.Task[object] | None" = None
    _turn: int = 0  # counts the answers of the house: a start that waits for a hook sees that one has come between

    def __init__(self, exchange: Exchange, receive: Receive, send: Send, terms: Terms) -> None:
        self.exchange = exchange
        self._receive = receive
        self._send = send
        self._terms = terms
        self._phase = _WAITING
        self._headers: Sequence[tuple[bytes, bytes]] = ()
        self.special = exchange.kind != "http"
        self.task: asyncio.Task[object] | None = None
        self._receiving: asyncio.Task[object] | None = None

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
            if task is None or self._woken is not task or task.uncancel():
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
            self.exchange.bytes_in += payload(message)
        elif kind == "websocket.connect":
            self.connected = True
        return message

    async def send(self, message: Message) -> None:
        """Pass a message of the app, a plugin's endpoint or a wrapper to the client.

        What is no message of such an exchange passes too: it is the server's to judge.
        """
        exchange = self.exchange
        if self.special or exchange.refused_inside or _DICT is not type(message):
            return await self._send_any(message)
        # Nearly all there is: the start of a response that nobody has to be waited for, and its body.
        kind: object = message.get("type")
        if kind == "http.response.body":
            body: object = message.get("body")
            exchange.bytes_out += len(body) if isinstance(body, bytes) else size(body)
            if self._phase == _STARTED and not message.get("more_body"):
                self._phase = _DONE
                exchange.ended = self._terms.monotonic()
                await self._send(message)
            elif self._chunk_passes(message):
                await self._send(message)
            return None
        plan = exchange.plan
        headers: Any = message.get("headers")
        usual = self._phase == _WAITING and not plan.witness and plan.dressed_at_once and _LIST is type(headers)
        if kind != "http.response.start" or not usual:
            return await self._send_any(message)
        exchange.status = message.get("status")
        if plan.respond:
            extra = self._terms.runner.headers_at_once(exchange, plan.respond)
            if self.special or exchange.refused_inside:  # by one of these hooks
                dressed = await self._dressed(message, extra, kept=True, turn=0)  # type: ignore[unreachable]
                return await self._begin_with(dressed, None)
            if extra:
                headers = [*headers, *extra]
                message = {**message, "headers": headers}
        self._phase, self._headers = _STARTED, headers
        try:
            await self._send(message)
        except _UNSENT:
            self._phase = _WAITING
            raise
        if (exchange.identity is not None or self.special) and is_event_stream(headers):
            self._begun(None)
        return None

    async def _send_any(self, message: Message) -> None:
        kind = kind_of(message)
        exchange = self.exchange
        deny = exchange.verdict
        unheard = self._muted or (isinstance(deny, Deny) and not self._own)
        if unheard and not await self._may_pass(message, kind):
            return
        is_http = exchange.kind == "http"
        if kind == "http.response.body" or kind == "websocket.http.response.body":
            exchange.bytes_out += size(message.get("body"))
            if self._chunk_passes(message):
                await self._send(message)
        elif kind in STARTS and (kind == "http.response.start") == is_http:
            await self._begin(message, STARTS[kind])
        elif kind == "websocket.send":
            exchange.bytes_out += payload(message)
            await self._send(message)
        elif kind == "websocket.close" and not is_http:
            await self._closed_by_app(message)
        elif kind not in PAYLOADS or self._chunk_passes(message):
            await self._send(message)

    def gate(self, send: Send) -> Send:
        """The app's way to `send` where wrappers stand between: shut once the house answers through them.

        Behind them its answer cannot be told from what a task of the app says in the middle of it.
        """

        async def heard(message: Message) -> None:
            if self._own or self._muted:
                self._drop(message, kind_of(message))
            else:
                await send(message)

        return heard

    def _drop(self, message: Message, kind: str | None) -> None:
        """A message of an app that is not heard any more: an app that only ever sends is told so, or it never stops."""
        if self._ordered is not None or kind == "websocket.send" or (kind and message.get("more_body")):
            raise Gone("the exchange was ended")

    async def _may_pass(self, message: Message, kind: str | None) -> bool:
        """Judge a message of an app that is not heard any more, or inside which a guard has refused."""
        if self._muted:
            self._drop(message, kind)
            return False
        deny = self.exchange.verdict
        if isinstance(deny, Deny) and self._phase == _WAITING:  # whatever the app makes of the refusal
            if kind in STARTS or kind == "websocket.close":
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
        direct = send == self.send  # nothing in between: no sender but this one is heard from here on
        self.special = self._own = True
        self._muted = direct
        self._turn += 1
        if record:
            exchange.verdict = verdict
            if isinstance(verdict, Deny):
                self._refused = True
                self._terms.runner.refused(exchange, verdict)
        if exchange.kind == "websocket" and not self.connected:
            message = await self._receive()
            if message["type"] != "websocket.connect":
                return
            self.connected = True
        emit = self._emit if direct else send
        for message in responses.whole(exchange, verdict):
            await emit(message)
        self._own, self._muted = record, True

    async def _emit(self, message: Message) -> None:
        """Send a message of the house's own answer, whatever the app may try meanwhile."""
        kind = message["type"]
        if kind in STARTS:
            await self._begin(message, STARTS[kind])
        elif kind == "websocket.close":
            await self._closed_by_app(message)
        elif not self._replaced:
            self.exchange.bytes_out += len(message["body"])
            if self._chunk_passes(message):
                await self._send(message)

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
        exchange.status = message.get("status") if status is None else status
        if exchange.plan.witness or exchange.plan.respond:
            await self._begin_with(await self._asked(message), status)
        else:
            await self._begin_with(message, status)

    async def _begin_with(self, message: Message | None, status: int | None) -> None:
        """Send a start, where there is one to send after all."""
        if message is None:
            return
        headers: Any = message.get("headers", ())
        if type(headers) is not list and type(headers) is not tuple:  # an iterator can be read once only
            headers = list(headers)
            message = {**message, "headers": headers}
        self._phase, self._headers = _STARTED, headers
        try:
            await self._send(message)
        except _UNSENT:
            self._phase = _WAITING
            raise
        self._begun(status)

    def _begun(self, status: int | None) -> None:
        """A start has left. An event stream may wait for its first chunk; others that live long are known by it."""
        if status == 101 or ((self.ending is not None or self._expires) and self.lives_long):
            self._begin_long()

    async def _asked(self, message: Message) -> Message | None:
        """The start with the plugins' headers, once witnessed; None where the house has begun to answer instead."""
        exchange, plan, turn = self.exchange, self.exchange.plan, self._turn
        kept = not plan.witness or await self._terms.runner.witness(exchange, plan.witness)
        kept = kept or exchange.verdict is INTENT_UNRECORDED  # the refusal that says just that
        extra = await self._terms.runner.headers(exchange, plan.respond) if kept and plan.respond else ()
        return await self._dressed(message, extra, kept=kept, turn=turn)

    async def _dressed(self, message: Message, extra: Sequence[Header], *, kept: bool, turn: int) -> Message | None:
        """Judge anew after hooks were asked; `turn` is that of the time before."""
        exchange = self.exchange
        if self._turn != turn:
            return None
        deny = exchange.verdict
        if self._phase != _WAITING:  # another task has started meanwhile, and this is a second start
            if isinstance(deny, Deny):
                await self.cut()
                return None
            return message
        if not kept:
            await self._replace(_UNRECORDED)
        elif not self._own and isinstance(deny, Deny):  # a guard has refused in another task
            await self._replace(deny)
        elif extra:
            return {**message, "headers": [*message.get("headers", ()), *extra]}
        else:
            return message
        return None

    async def _replace(self, deny: Deny) -> None:
        """Write a refusal where the app, or an answer that may not leave, wanted to start."""
        exchange = self.exchange
        unrecorded = deny is _UNRECORDED
        self.special = self._muted = self._refused = self._replaced = True
        self._turn += 1
        exchange.verdict, exchange.status = deny, deny.status
        plan = exchange.plan
        if plan.witness and not unrecorded and not await self._terms.runner.witness(exchange, plan.witness):
            deny = exchange.verdict = _UNRECORDED
        self._terms.runner.refused(exchange, deny)
        self._phase = _STARTED  # also where the server raises on the way: a second answer would be one too many
        for message in responses.whole(exchange, deny):
            exchange.bytes_out += len(message.get("body") or b"")
            extra = await self._terms.runner.headers(exchange, plan.respond) if message["type"] in STARTS else []
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
            witnesses, turn = exchange.plan.witness, self._turn
            kept = not witnesses or await self._terms.runner.witness(exchange, witnesses)
            if self._turn != turn:
                return
            if not kept and not self._own:
                await self._replace(_UNRECORDED)
                return
        self._finished()
        await self._send(message)

    async def cut(self) -> None:
        """A guard refused after the response had started: say no more, and leave it without its last chunk."""
        if self._muted:
            return
        self.special = self._muted = True
        exchange = self.exchange
        if isinstance(exchange.verdict, Deny):
            self._terms.runner.refused(exchange, exchange.verdict)
        if exchange.status == 101 and self._phase == _STARTED:
            self._finished()
            await self._send({"type": "websocket.close", "code": responses.CLOSE_REFUSED, "reason": ""})

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
        exchange = self.exchange
        if exchange.method == "HEAD":
            exchange.bytes_out = 0  # whatever the app gave, the server sends no body (RFC 9110 §9.3.2)
        self._phase = _DONE
        self.task = None
        if self.ending is not None:
            self.ending.forget()

    # -- ending what lives long

    @property
    def lives_long(self) -> bool:
        """Whether a socket is open, or a stream has begun and has more to come."""
        return self._phase == _STARTED and (self._long or is_event_stream(self._headers))

    @property
    def open_ended(self) -> bool:
        """Whether it lives long and nothing says when it will end by itself: an open socket or event stream."""
        return self.lives_long and (self.exchange.kind == "websocket" or is_event_stream(self._headers))

    @property
    def sized(self) -> bool:
        """Whether the response has said how long it is, so that it cannot be ended early and be whole."""
        return any(len(name) == 14 and name.lower() == b"content-length" for name, _ in self._headers)

    @property
    def sound(self) -> bool:
        """Whether the start was one that a server can make something of; one that took it in silence has not begun."""
        return self.exchange.kind == "websocket" or is_sound(self.exchange.status, self._headers)

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
        self.special = self._muted = True
        if self._receiving is not None and self._woken is None:
            self._woken = self._receiving
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
            self.special = True  # first: who ends it may be another thread
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
