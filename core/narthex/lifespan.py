"""The life of the house: plugins start in order and are released in reverse, in one task of their own.

    new --start--> starting --> serving --stop--> stopping --> stopped --start--> ...
                       |
                       +--> failed  (a later request tries again after a while)

The task matters: what a plugin enters in `start` (an exit stack, a task group) can only be left by the task that
entered it, and the server's request tasks come and go. When the loop is torn down under us the task is cancelled,
and releases everything on its way out.
"""

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum

from narthex.asgi import ASGIApp, Message, Receive, Scope, Send
from narthex.errors import StartError

_log = logging.getLogger("narthex.lifespan")

LEAVE = 1.0  # seconds an app may still run after it has said that its shutdown is complete
RETRY = 5.0  # seconds before a request may try again to start a house that failed to

Act = Callable[[], Awaitable[None]]


class State(Enum):
    """Where the house is in its life."""

    NEW = "new"
    STARTING = "starting"
    SERVING = "serving"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Life:
    """Starts and stops a sequence of units.

    Args:
        units: name, start and stop, in order of start.
        monotonic: the clock that spaces attempts.
    """

    def __init__(self, units: Sequence[tuple[str, Act, Act]], monotonic: Callable[[], float]) -> None:
        self._units = units
        self._monotonic = monotonic
        self._failed_at = 0.0
        self._error: BaseException | None = None
        self._culprit = "the house"
        self._closed = False
        self._keeper: asyncio.Task[None] | None = None
        self._started: asyncio.Event | None = None
        self._leave: asyncio.Event | None = None
        self.state = State.NEW

    @property
    def serving(self) -> bool:
        """Whether every unit has started and none is being released."""
        return self.state is State.SERVING

    async def start(self) -> None:
        """Start every unit, or wait for whoever is doing so.

        Raises:
            StartError: a unit could not be started; those before it have been released again.
        """
        self._closed = False
        await self._start()

    async def _start(self) -> None:
        if self.state is State.SERVING:
            return
        if self.state is State.STOPPING and self._keeper is not None:
            await asyncio.wait([self._keeper])
        if self.state is not State.STARTING:
            self._launch()
        assert self._started is not None  # noqa: S101  set together with the state
        await self._started.wait()
        if self._error is not None:
            raise StartError(f"{self._culprit} could not be started: {self._error}") from self._error

    def begin(self) -> None:
        """Start without waiting for it, where no lifespan came and nothing is under way."""
        if self._may_start() and self.state not in (State.STARTING, State.SERVING):
            self._launch()

    async def ensure(self) -> bool:
        """Start on the first request where no lifespan came; False while it cannot be served."""
        if not self._may_start():
            return False
        try:
            await self._start()
        except StartError:
            return False
        return self.serving

    def _may_start(self) -> bool:
        if self._closed:
            return False
        failed_just_now = self.state is State.FAILED and self._monotonic() - self._failed_at < RETRY
        return not failed_just_now and self.state is not State.STOPPING

    def _launch(self) -> None:
        self.state = State.STARTING
        self._error = None
        self._started, self._leave = asyncio.Event(), asyncio.Event()
        self._keeper = asyncio.get_running_loop().create_task(
            self._keep(self._started, self._leave),
            name="narthex keeper",
            context=contextvars.Context(),  # not that of the request which happens to be the first
        )

    async def close(self) -> None:
        """Stop for good: after the server's shutdown a late request does not start the house again."""
        self._closed = True
        await self.stop()

    async def stop(self) -> None:
        """Release every unit in reverse; returns when the last one is."""
        if self._keeper is not None and self._leave is not None:
            self._leave.set()
            await asyncio.wait([self._keeper])

    async def _keep(self, started: asyncio.Event, leave: asyncio.Event) -> None:
        running: list[tuple[str, Act]] = []
        try:
            for name, start, stop in self._units:
                _log.debug("starting %s", name)
                # Released even where its own start fails half-way: it knows best what it has opened.
                running.append((name, stop))
                await start()
            self.state = State.SERVING
            started.set()
            await leave.wait()
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
                raise
            self._culprit = running[-1][0]
            _log.exception("%s could not be started", self._culprit)
            self._error = error
        finally:
            self.state = State.STOPPING
            await _release(running)
            self._failed_at = self._monotonic()
            self.state = State.FAILED if self._error is not None else State.STOPPED
            if self._error is None and not started.is_set():
                self._error = RuntimeError("the event loop is going down")
            started.set()


async def _release(running: Sequence[tuple[str, Act]]) -> None:
    """Stop in reverse, each whatever the others do."""
    for name, stop in reversed(running):
        try:
            await stop()
        except asyncio.CancelledError:
            _log.warning("the stop of %s was cancelled", name)
        except Exception:  # noqa: BLE001  the others still have to stop
            _log.exception("%s could not be stopped cleanly", name)


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
