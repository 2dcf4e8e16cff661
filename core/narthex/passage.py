"""An exchange on its walk: the one `send` and `receive` that stand between server and app.

States of the response, as far as this end sees it:

    waiting --start/accept--> started --last body/close--> done
       |                         |
       | a Deny stands           | a Deny stands: muted, the response is cut without its last chunk
       v                         | the house ends it: last chunk or close frame, then muted
    the refusal is written,      v
    the app's own is muted     done

Muted, what the app sends is dropped. Every start the client sees passes `_begin`, so it is witnessed and gets the
plugins' headers exactly once.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal

from narthex import responses
from narthex.asgi import Message, Receive, Send
from narthex.events import EventBus, ExchangeClosed
from narthex.exchange import Exchange
from narthex.stages import StageRunner
from narthex.verdict import Answer, Deny

GRACE: Final = 1.0  # seconds an app has to notice that its exchange was ended, before its task is cancelled
CLOSE_REFUSED: Final = 1008  # RFC 6455 §7.4.1, policy violation
INTENT_UNRECORDED: Final = Deny(503, "intent_unrecorded", "a witness could not keep its record", retry_after=1)
_UNRECORDED: Final = Deny(503, "outcome_unrecorded", "a witness could not keep its record", retry_after=1)

_WAITING, _STARTED, _DONE = range(3)


class Gone(OSError):
    """The house has ended this exchange; what the app still sends goes nowhere (ASGI 2.4: `send` raises OSError)."""


class Passage:
    """Carries one exchange's messages; made for exchanges that some plugin or guard cares about."""

    __slots__ = (
        "_clock_now",
        "_ending",
        "_events",
        "_long",
        "_loop",
        "_monotonic",
        "_muted",
        "_own",
        "_phase",
        "_receive",
        "_refused",
        "_replaced",
        "_runner",
        "_send",
        "_sized",
        "_task",
        "_timer",
        "_until_expiry",
        "cancelled",
        "connected",
        "exchange",
    )

    def __init__(  # noqa: PLR0913, PLR0917  one per exchange: an object in between would be made for nothing
        self,
        exchange: Exchange,
        receive: Receive,
        send: Send,
        runner: StageRunner,
        events: EventBus,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        until_expiry: bool,
    ) -> None:
        self.exchange = exchange
        self.cancelled = False
        self.connected = False
        self._receive = receive
        self._send = send
        self._runner = runner
        self._events = events
        self._clock_now = now
        self._monotonic = monotonic
        self._until_expiry = until_expiry
        self._phase = _WAITING
        self._muted = False
        self._own = False
        self._refused = False
        self._replaced = False
        self._long = False
        self._sized = False
        self._ending: tuple[str, int] | None = None
        self._task: asyncio.Task[object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

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
        return self._muted and self._ending is not None

    async def receive(self) -> Message:
        """The server's next message, its payload counted."""
        message = None if self._muted else await self._receive()
        if message is None or self._muted:  # ended while the app waited: what the client still said does not reach it
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
        """Pass a message of the app, a plugin's endpoint or a wrapper to the client."""
        if self._muted:
            if self._ending is not None or message.get("more_body") or message["type"] == "websocket.send":
                raise Gone("the exchange was ended")  # or an app that only ever sends would never stop
            return
        kind = message["type"]
        deny = self.exchange.verdict
        if isinstance(deny, Deny) and not self._own:  # a guard refused inside the app, whatever the app makes of it
            if self._phase == _WAITING:
                if kind in _STARTS or kind == "websocket.close":
                    await self._replace(deny)
                return
            if kind != "websocket.close":
                await self.cut()
                return
        if kind == "http.response.body" or kind == "websocket.http.response.body":
            self.exchange.bytes_out += len(message.get("body") or b"")
            await self._pass_chunk(message)
        elif kind in _STARTS:
            await self._begin(message, _STARTS[kind])
        elif kind == "websocket.send":
            self.exchange.bytes_out += _payload(message)
            await self._send(message)
        elif kind == "websocket.close":
            await self._closed_by_app(message)
        elif kind in _PAYLOADS:
            await self._pass_chunk(message)
        else:
            await self._send(message)

    async def _pass_chunk(self, message: Message) -> None:
        if not message.get("more_body", False):
            self._finished()
        elif not self._long:
            self._begin_long()
            if self._ending is not None:  # since before its first chunk: nothing of the stream may leave
                return
        await self._send(message)

    async def finish(self, verdict: Deny | Answer, send: Send, *, record: bool = True) -> None:
        """Answer in place of the app.

        Args:
            verdict: what to answer.
            send: where the answer goes: this passage's `send`, or what outside wrappers made of it.
            record: whether it is the exchange's verdict (not so for an app's own error).
        """
        exchange = self.exchange
        self._own = True
        if record:
            exchange.verdict = verdict
            if isinstance(verdict, Deny):
                self._refused = True
                self._runner.refused(exchange, verdict)
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
            await self._pass_chunk(message)

    def _whole(self, verdict: Deny | Answer) -> list[Message]:
        """The messages of a complete response."""
        exchange = self.exchange
        kind = exchange.kind
        if kind == "websocket" and "websocket.http.response" not in (exchange.scope.get("extensions") or {}):
            reason = verdict.code if isinstance(verdict, Deny) else ""
            exchange.status = verdict.status
            return [{"type": "websocket.close", "code": CLOSE_REFUSED, "reason": _short(reason)}]
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
            await self._send(message)
            return
        if message["type"] == "websocket.accept" and self._ending is not None:
            await self._replace(Deny(401, "session_ended", self._ending[0]))
            return
        plan = exchange.plan
        exchange.status = message["status"] if status is None else status
        kept = not plan.witness or await self._runner.witness(exchange, plan.witness)
        if not kept and exchange.verdict is not INTENT_UNRECORDED:
            await self._replace(_UNRECORDED)
            return
        if plan.respond:
            extra = await self._runner.headers(exchange, plan.respond)
            if extra:
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
        self._phase = _STARTED
        long = message["type"] == "websocket.accept"
        if exchange.identity is not None and exchange.kind == "http":
            for name, value in message.get("headers", ()):
                size = len(name)  # told apart by it first: this runs for every answer
                if size == 14 and name.lower() == b"content-length":
                    self._sized = True
                elif size == 12 and name.lower() == b"content-type":  # an event stream may wait for its first chunk
                    long = value.lower().startswith(b"text/event-stream")
        await self._send(message)
        if long:
            self._begin_long()

    async def _replace(self, deny: Deny) -> None:
        """Write a refusal where the app, or an answer that may not leave, wanted to start."""
        exchange = self.exchange
        unrecorded = deny is _UNRECORDED
        self._muted = self._refused = self._replaced = True
        exchange.verdict, exchange.status = deny, deny.status
        plan = exchange.plan
        if plan.witness and not unrecorded and not await self._runner.witness(exchange, plan.witness):
            deny = exchange.verdict = _UNRECORDED
        self._runner.refused(exchange, deny)
        for message in self._whole(deny):
            exchange.bytes_out += len(message.get("body") or b"")
            extra = await self._runner.headers(exchange, plan.respond) if message["type"] in _STARTS else []
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
            if witnesses and not await self._runner.witness(exchange, witnesses) and not self._own:
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
            self._runner.refused(exchange, exchange.verdict)
        if exchange.kind == "websocket" and self._phase == _STARTED:
            self._finished()
            await self._send({"type": "websocket.close", "code": CLOSE_REFUSED, "reason": ""})

    def _finished(self) -> None:
        self._phase = _DONE
        self.exchange.ended = self._monotonic()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- ending what lives long

    def bind(self, task: "asyncio.Task[object] | None") -> None:
        """Remember the task that walks, so that an app that does not notice its end can be cancelled."""
        self._task = task
        self._loop = None if task is None else task.get_loop()

    def _begin_long(self) -> None:
        """The exchange turns out to live long: a websocket, or a stream with more to come."""
        self._long = True
        if self._ending is not None:
            self._hang_up()
        identity = self.exchange.identity
        if identity is not None and identity.expires_at is not None and self._until_expiry:
            self._expire()

    def _expire(self) -> None:
        """End the exchange once the wall clock has reached `exp`, looking again where the clock was set back."""
        identity = self.exchange.identity
        if self._phase != _STARTED or identity is None or identity.expires_at is None:
            return
        remaining = identity.expires_at - self._clock_now()
        if remaining <= 0:
            self.end("expired")
        else:
            self._timer = asyncio.get_running_loop().call_later(min(remaining, 3600.0), self._expire)

    def end(self, reason: str, code: int = 4401) -> None:
        """Close the websocket or end the stream. An answer in one piece is left alone; before the start it is noted."""
        if self._ending is None and self._phase != _DONE:
            self._ending = (reason, code)
            if self._long:
                self._hang_up()

    def _hang_up(self) -> None:
        # Whoever revokes may do so from a thread of the app.
        loop = asyncio.get_running_loop() if self._loop is None else self._loop
        loop.call_soon_threadsafe(self._begin_close)

    def _begin_close(self) -> None:
        # The task is kept by the loop's own reference while it runs; it takes at most GRACE.
        closing = asyncio.get_running_loop().create_task(self._close())
        closing.add_done_callback(_forget)
        _closings.add(closing)

    async def _close(self) -> None:
        assert self._ending is not None  # noqa: S101  set by end()
        if self._phase == _DONE:
            return  # the app was quicker
        reason, code = self._ending
        exchange = self.exchange
        self._muted = True
        identity = exchange.identity
        self._events.publish(
            ExchangeClosed(exchange_id=exchange.id, subject=identity.subject if identity else None, reason=reason)
        )
        last: Message | None = None
        if exchange.kind == "websocket":
            last = {"type": "websocket.close", "code": code, "reason": _short(reason)}
        elif not self._sized:
            last = {"type": "http.response.body", "body": b"", "more_body": False}
        self._finished()
        if last is not None:
            # A client that is gone, or reads nothing, must not keep the app from being cancelled.
            with suppress(Exception):
                async with asyncio.timeout(GRACE):
                    await self._send(last)
        await asyncio.sleep(GRACE)
        if self._task is not None and not self._task.done():
            self.cancelled = True
            self._task.cancel("the house ended this exchange")

    def left(self) -> None:
        """The walk is over."""
        if self.exchange.method == "HEAD":
            self.exchange.bytes_out = 0  # whatever the app gave, the server sends no body (RFC 9110 §9.3.2)
        self._phase = _DONE
        self._task = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _disconnect(self) -> Message:
        if self.exchange.kind == "http":
            return {"type": "http.disconnect"}
        return {
            "type": "websocket.disconnect",
            "code": self._ending[1] if self._ending else 1006,
            "reason": "",
        }


_STARTS: Final[dict[str, Literal[101] | None]] = {
    "http.response.start": None,
    "websocket.http.response.start": None,
    "websocket.accept": 101,
}
_PAYLOADS: Final = frozenset(
    {
        "http.response.body",
        "http.response.pathsend",
        "http.response.zerocopysend",
        "websocket.http.response.body",
        "websocket.send",
    }
)
_closings: Final[set[asyncio.Task[None]]] = set()


def is_gone(error: BaseException) -> bool:
    """Whether the error is what became of `Gone` on its way through a framework."""
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None or isinstance(seen, Gone):
            break
        seen = seen.__cause__ or seen.__context__
    return isinstance(seen, Gone)


def _forget(task: "asyncio.Task[None]") -> None:
    _closings.discard(task)
    if not task.cancelled():
        task.exception()  # a client that is gone already is no news


def _short(reason: str) -> str:
    """As much of a reason as fits into a close frame (RFC 6455 §5.5: 125 bytes, two of them for the code)."""
    return reason.encode()[:123].decode(errors="ignore")


def _payload(message: Message) -> int:
    data = message.get("bytes")
    if data is not None:
        return len(data)
    words = message.get("text") or ""
    return len(words) if words.isascii() else len(words.encode())
