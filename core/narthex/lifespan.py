"""The lifespan: the app's own, which is driven in a task of its own, and the conversation with the server about it."""

import asyncio
import logging

from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.errors import StartError
from narthex.life import Act

_log = logging.getLogger("narthex.lifespan")

LEAVE = 1.0  # seconds an app may still run after it has said that its shutdown is complete


class AppLifespan:
    """The app's own lifespan, driven in a task of its own.

    An app that knows no lifespan raises or returns before it has said anything; it is served without one, as a
    server does. Only an app that says `startup.failed` has failed.
    """

    def __init__(self, app: ASGIApp, scope: Scope) -> None:
        self._app = app
        self._scope = scope
        self._begin()

    def _begin(self) -> None:
        # Anew for each life: a queue belongs to the loop that first waited for it.
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        self._last: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Run the app's start-up.

        Raises:
            StartError: with what the app said.
        """
        self._begin()
        self._to_app.put_nowait({"type": "lifespan.startup"})
        self._task = asyncio.get_running_loop().create_task(self._run(), name="app lifespan")
        message = await self._next()
        if message is not None and message["type"] == "lifespan.startup.failed":
            await self.abandon()  # no shutdown is due to an app that has not started
            raise StartError(f"the app could not start: {message.get('message', '') or 'it gave no reason'}")

    async def shutdown(self) -> None:
        """Run the app's shutdown, if it is still there.

        Raises:
            StartError: the app said that it failed.
        """
        if self._task is None or self._task.done():
            return
        self._to_app.put_nowait({"type": "lifespan.shutdown"})
        message = await self._next()
        if message is not None and message["type"] == "lifespan.shutdown.failed":
            raise StartError(f"the app's shutdown failed: {message.get('message', '') or 'it gave no reason'}")
        await asyncio.wait([self._task], timeout=LEAVE)
        await self.abandon()  # an app may go on waiting for a message that no server sends

    async def abandon(self) -> None:
        """Cancel the app's lifespan where the server went away without a shutdown."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _next(self) -> Message | None:
        """What the app says next, or None when it has ended without a word."""
        assert self._task is not None  # noqa: S101  startup() sets it
        said = asyncio.ensure_future(self._said.get())
        await asyncio.wait([said, self._task], return_when=asyncio.FIRST_COMPLETED)
        if not said.done() and not self._said.empty():
            await asyncio.sleep(0)
        if said.done():
            return said.result()
        said.cancel()
        return None

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._to_app.get, self._send)
        except Exception as error:  # noqa: BLE001  however an app without lifespan ends
            if self._last is None:
                _log.info("the app is served without a lifespan (%s: %s)", type(error).__name__, error)
            elif self._last != "lifespan.startup.failed":  # which already said why
                _log.exception("the app's lifespan failed after %s", self._last)

    async def _send(self, message: Message) -> None:
        if not message["type"].startswith("lifespan."):
            raise RuntimeError(f"{message['type']} does not belong in a lifespan")
        self._last = message["type"]
        self._said.put_nowait(message)


async def converse(scope: Scope, receive: Receive, send: Send, app: ASGIApp, start: Act, stop: Act, look: Act) -> None:
    """Answer the server's lifespan: plugins first, then the app, then a look at what it has become; down in reverse.

    A failure is always said as `lifespan.startup.failed`: an exception would make a server with `lifespan=auto`
    serve on, unguarded.
    """
    await receive()
    own = AppLifespan(app, scope)
    try:
        await start()
        await own.startup()
        await look()
    except Exception as error:  # noqa: BLE001  each is told to the server
        await own.abandon()
        await stop()
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    failure = ""
    try:
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await own.shutdown()
        except StartError as error:
            failure = str(error)
    finally:
        await own.abandon()
        await stop()
    if failure:
        await send({"type": "lifespan.shutdown.failed", "message": failure})
    else:
        await send({"type": "lifespan.shutdown.complete"})
