"""What the servers disagree on: whether a failed start is a failed start.

uvicorn stops, hypercorn raises, granian's lifespan errors "continue without lifespan support", and hypercorn does
the same for an exception before start-up. Here every way to fail is the one they all obey, `lifespan.startup.failed`
(ASGI lifespan specification 2.0), so no server ever serves an app that is not started.
"""

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable

from narthex.asgi import ASGIApp, Message, Receive, Scope, Send


class Lifespan:
    """The app as the server calls it: transparent, but for the lifespan, which is watched.

    Costs each exchange one comparison: requests are handed on without a frame of their own.

    Attributes:
        started: set when the app has completed its start-up.
        failed: the app said that it cannot start, raised, or left without a word.
        message: what it said then.
        ended: set when its lifespan is over.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._hurry = asyncio.Event()
        self.started = asyncio.Event()
        self.ended = asyncio.Event()
        self.failed = False
        self.message = ""

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Hand on; not a coroutine function itself, so that a request pays for no extra one."""
        if scope["type"] == "lifespan":
            return self._watch(scope, receive, send)
        return self._app(scope, receive, send)

    async def shut_down(self, limit: float) -> None:
        """Send the app its shutdown now, although the server still waits for connections; wait `limit` seconds."""
        self._hurry.set()
        if self.started.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), limit)

    async def _watch(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched_receive() -> Message:
            return await self._first(receive)

        async def watched_send(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self.started.set()
            elif message["type"] == "lifespan.startup.failed":
                self._fail(message.get("message", ""))
            await send(message)

        try:
            await self._app(scope, watched_receive, watched_send)
        except asyncio.CancelledError:
            # The loop is closing and the app has let go. Raised on, uvicorn would print it as a fault of the app.
            return
        except Exception:
            if self.started.is_set() or self.failed:
                raise
            await self._refuse(send, traceback.format_exc())
        else:
            if not (self.started.is_set() or self.failed):
                await self._refuse(send, "the app left its lifespan without completing its start-up")
        finally:
            self.ended.set()

    async def _refuse(self, send: Send, message: str) -> None:
        self._fail(message)
        await send({"type": "lifespan.startup.failed", "message": message})

    def _fail(self, message: str) -> None:
        self.failed = True
        self.message = message

    async def _first(self, receive: Receive) -> Message:
        """The server's next event, or the shutdown that it did not get round to sending."""
        event = asyncio.ensure_future(receive())
        hurry = asyncio.ensure_future(self._hurry.wait())
        try:
            await asyncio.wait({event, hurry}, return_when=asyncio.FIRST_COMPLETED)
            return event.result() if event.done() else {"type": "lifespan.shutdown"}
        finally:
            event.cancel()
            hurry.cancel()
