"""Ending an exchange that lives long: a websocket, or a stream with more to come.

    ordered --it turns out to live long--> hung up: the app is muted, the last chunk or close frame is sent
                                              |
                                              +-- GRACE later the app's task is cancelled, if it has not noticed

An order comes from the house (revoked, stopping) or from the clock (`exp`). An answer in one piece is never ended.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from narthex.asgi import Message
from narthex.events import EventBus, ExchangeClosed
from narthex.exchange import Exchange

GRACE: Final = 1.0  # seconds an app has to notice that its exchange was ended, before its task is cancelled
_LONGEST_WAIT: Final = 3600.0  # seconds between looks at a clock that may be set


class Gone(OSError):
    """The house has ended this exchange; what the app still sends goes nowhere (ASGI 2.4: `send` raises OSError)."""


class Carrier(Protocol):
    """The passage, as far as ending it goes."""

    exchange: Exchange
    task: "asyncio.Task[object] | None"

    @property
    def lives_long(self) -> bool:
        """Whether a socket is open, or a stream has begun and has more to come."""
        ...

    @property
    def complete(self) -> bool:
        """Whether nothing more is owed to the client."""
        ...

    @property
    def sized(self) -> bool:
        """Whether the response has said how long it is, so that it cannot be ended early and be whole."""
        ...

    @property
    def sound(self) -> bool:
        """Whether the start was one that a server can make something of."""
        ...

    def hang_up(self) -> None:
        """Hear the app no more, and wake it where it waits for the client."""
        ...

    async def say_last(self, message: Message | None) -> None:
        """Send the client the last message, if there is one to send."""
        ...


class Ending:
    """The end of one exchange, once there is reason to think of it."""

    __slots__ = ("_carrier", "_closing", "_events", "_now", "_said", "_timer", "cancelled", "order")

    def __init__(self, carrier: Carrier, events: EventBus, now: Callable[[], float]) -> None:
        """Attributes: `order` is reason and close code, once given; `cancelled` says that the app's task was."""
        self._carrier = carrier
        self._events = events
        self._now = now
        self._timer: asyncio.TimerHandle | None = None
        self._said = asyncio.Event()
        self._closing = False
        self.order: tuple[str, int] | None = None
        self.cancelled = False

    def give_order(self, reason: str, code: int) -> None:
        """End it now, or as soon as it turns out to live long. The first order counts. Safe from any thread."""
        if self.order is None and not self._carrier.complete:
            self.order = (reason, code)
            if self._carrier.lives_long:
                self.hang_up()

    def hang_up(self) -> None:
        """Begin to end what is open; whoever revokes may do so from a thread of the app."""
        self._closing = True
        task = self._carrier.task
        loop = asyncio.get_running_loop() if task is None else task.get_loop()
        loop.call_soon_threadsafe(self._begin)

    def expire(self) -> None:
        """End it once the wall clock has reached `exp`, looking again where the clock was set back."""
        identity = self._carrier.exchange.identity
        if self._carrier.complete or identity is None or identity.expires_at is None:
            return
        remaining = identity.expires_at - self._now()
        if remaining <= 0:
            self.give_order("expired", 4401)
        else:
            self._timer = asyncio.get_running_loop().call_later(min(remaining, _LONGEST_WAIT), self.expire)

    async def said(self) -> None:
        """Wait until the last message has been sent: a server takes an app that returns before it for broken."""
        if self._closing:
            await self._said.wait()

    def forget(self) -> None:
        """It has ended by itself: no timer is needed any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        closing = asyncio.get_running_loop().create_task(self._close())
        closing.add_done_callback(_forget)
        _closings.add(closing)

    async def _close(self) -> None:
        carrier = self._carrier
        try:
            if carrier.complete or self.order is None:
                return  # the app was quicker
            await self._say_last(*self.order)
        finally:
            self._said.set()
        await asyncio.sleep(GRACE)
        if carrier.task is not None and not carrier.task.done():
            self.cancelled = True
            carrier.task.cancel("the house ended this exchange")

    async def _say_last(self, reason: str, code: int) -> None:
        carrier = self._carrier
        exchange, identity = carrier.exchange, carrier.exchange.identity
        carrier.hang_up()
        self._events.publish(
            ExchangeClosed(exchange_id=exchange.id, subject=identity.subject if identity else None, reason=reason)
        )
        last: Message | None = None
        if exchange.status == 101:
            last = {"type": "websocket.close", "code": code, "reason": close_reason(reason)}
        elif carrier.sound and not carrier.sized:
            prefix = "http.response" if exchange.kind == "http" else "websocket.http.response"
            last = {"type": f"{prefix}.body", "body": b"", "more_body": False}
        # A client that is gone, or reads nothing, must not keep the app from being cancelled.
        with suppress(Exception):
            async with asyncio.timeout(GRACE):
                await carrier.say_last(last)


_closings: Final[set[asyncio.Task[None]]] = set()
"""Each takes twice GRACE at most; the loop itself holds tasks only weakly."""


def _forget(task: "asyncio.Task[None]") -> None:
    _closings.discard(task)
    if not task.cancelled():
        task.exception()  # a client that is gone already is no news


def is_gone(error: BaseException) -> bool:
    """Whether the error is what became of `Gone` on its way through a framework."""
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None or isinstance(seen, Gone):
            break
        seen = seen.__cause__ or seen.__context__
    return isinstance(seen, Gone)


def close_reason(reason: str) -> str:
    """As much of a reason as fits into a close frame (RFC 6455 §5.5: 125 bytes, two of them for the code)."""
    return reason.encode(errors="replace")[:123].decode(errors="ignore")
