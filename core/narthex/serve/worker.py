"""One worker: import the app, put the house in front, serve until told to stop.

The same code runs in the foreground (`--workers 1`) and as a child of the supervisor (`python -m narthex.serve`).
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from socket import socket
from typing import cast

from narthex import config as configuration
from narthex.app import Narthex
from narthex.asgi import ASGIApp
from narthex.errors import BootError, StartError
from narthex.serve import servers
from narthex.serve.application import extend_path, import_app
from narthex.serve.binding import cannot_listen, is_listening
from narthex.serve.control import Order, control
from narthex.serve.exits import Exit
from narthex.serve.following import Following, Outcome, change_level
from narthex.serve.lifespan import Lifespan
from narthex.serve.line import Line
from narthex.serve.messages import tell, tell_boot_error, tell_outcome, tell_traceback
from narthex.serve.options import STOP_MARGIN, Options
from narthex.serve.stopping import Interrupted, Stopping

_HANG_UP = 3.0  # seconds that the server waits at most until the house has ended open sockets and event streams
_POLL = 0.01  # seconds between looks at whether the server listens already


def work(
    options: Options,
    listener: socket,
    text: str,
    on_ready: Callable[[], None] = lambda: None,
    supervisor: socket | None = None,
) -> Exit:
    """Serve in this process until a signal, or the supervisor's end, asks for a stop.

    Args:
        options: what to serve, and by which server.
        listener: bound and not yet listening; closed here once the server listens on a duplicate.
        text: of the configuration file.
        on_ready: called once, when the app has started and connections are accepted.
        supervisor: our end of the line to the parent (see `line`); None in the foreground.

    Returns:
        FINE after a stop that was asked for, FINDING after one that was forced or that nobody asked for, USAGE or
        FAILED_START where nothing was served; the reason has been written to standard error.
    """
    stopping = Stopping(options.drain, supervised=supervisor is not None)
    server = servers.make(options)
    job = _Work(options, text, server, stopping, on_ready)
    try:
        house = None if server.imports_in_loop else load(options, text)
        with asyncio.Runner(loop_factory=server.loop_factory()) as runner:
            return runner.run(job.run(house, listener, supervisor))
    except BootError as error:
        return tell_boot_error(error)
    except Interrupted:
        return Exit.FINE
    except SystemExit as error:
        if job.started:
            raise
        tell(f"{options.app} called sys.exit({error.code!r}) while it started; nothing is served")
        return Exit.FAILED_START


def load(options: Options, text: str) -> Narthex:
    """Import the app and build the house in front of it.

    Args:
        options: name the app.
        text: of the configuration file.

    Raises:
        ConfigError: the file, a plugin or the app's name is wrong.
        StartError: the app's own modules raised; the traceback has been written.
    """
    config = Path(options.config)
    extend_path(config.parent)
    app = _imported(options)
    if options.wsgi:
        # Only needed, and only installed, where WSGI is asked for.
        from narthex.serve.wsgi import WSGIApp, adapt  # noqa: PLC0415

        app = adapt(cast("WSGIApp", app))
    return Narthex(cast("ASGIApp", app), configuration.load(config, text=text))


def _imported(options: Options) -> object:
    try:
        return import_app(options.app, options.app_where)
    except (BootError, Interrupted):
        raise
    except SystemExit as error:
        raise StartError(f"{options.app} called sys.exit({error.code!r}) while it was imported") from error
    except Exception as error:
        tell_traceback(error)
        raise StartError(f"{options.app} could not be imported; nothing is served") from error


class _Work:
    """The life of one worker inside its loop."""

    def __init__(
        self, options: Options, text: str, server: servers.Server, stopping: Stopping, on_ready: Callable[[], None]
    ) -> None:
        self._options = options
        self._text = text
        self._server = server
        self._stopping = stopping
        self._on_ready = on_ready
        self._ready = asyncio.Event()
        self.started = False

    async def run(self, house: Narthex | None, listener: socket, supervisor: socket | None) -> Exit:
        house = house or load(self._options, self._text)
        following = Following(house, Path(self._options.config))
        lifespan = Lifespan(house)
        serving = asyncio.create_task(self._server.serve(lifespan, listener.dup()), name="server")
        self._stopping.attach(asyncio.get_running_loop(), serving.cancel)
        if supervisor is None:
            guided = self._guide(lifespan, following)
        else:
            guided = self._obey(await Line.over(supervisor), lifespan, house, following)
        aides = [
            asyncio.create_task(self._announce(lifespan, listener), name="announce"),
            asyncio.create_task(self._stop(lifespan, house, serving), name="stop"),
            asyncio.create_task(guided, name="guide"),
        ]
        try:
            await asyncio.wait({serving})
        finally:
            for aide in aides:
                aide.cancel()
            await asyncio.wait(aides)
        return self._judge(serving, lifespan, listener)

    async def _obey(self, line: Line, lifespan: Lifespan, house: Narthex, following: Following) -> None:
        """Do as the supervisor says; its end is the order to stop."""
        ready = asyncio.create_task(self._say_ready(line, house))
        try:
            while (order := await line.hear()) is not None:
                if lifespan.started.is_set():
                    outcome = await following.obey(order)
                else:
                    outcome = Outcome(refused="it has not started yet", exit=Exit.FAILED_START)
                line.say(id=order["id"], **asdict(outcome))
            self._stopping.ask()
        finally:
            ready.cancel()
            line.close()

    async def _say_ready(self, line: Line, house: Narthex) -> None:
        await self._ready.wait()
        line.say(ready=house.digest)

    async def _guide(self, lifespan: Lifespan, following: Following) -> None:
        """In the foreground: reload when SIGHUP or `narthex reload` asks for it."""
        await lifespan.started.wait()
        lock = asyncio.Lock()

        async def reload(_order: Order | None = None) -> Outcome:
            async with lock:
                outcome = await following.reload()
            tell_outcome(outcome.refused, outcome.words)
            return outcome

        async def change(order: Order) -> Outcome:
            return change_level(order)

        async with control(Path(self._options.config), {"reload": reload, "log-level": change}):
            while True:
                await self._stopping.hangup.wait()
                self._stopping.hangup.clear()
                await reload()

    async def _announce(self, lifespan: Lifespan, listener: socket) -> None:
        await lifespan.started.wait()
        self.started = True
        while not is_listening(listener):  # noqa: ASYNC110  the kernel knows, and sends no event
            await asyncio.sleep(_POLL)
        # Only the server may hold the socket now: closed by it, new connections are refused, not left waiting.
        listener.close()
        self._ready.set()
        self._on_ready()

    async def _stop(self, lifespan: Lifespan, house: Narthex, serving: asyncio.Task[None]) -> None:
        await self._stopping.asked.wait()
        if not lifespan.started.is_set():
            # Nobody has been let in. What had begun to start is cancelled, and releases what it holds.
            serving.cancel()
            return
        now = asyncio.get_running_loop().time
        end = now() + self._options.drain + STOP_MARGIN / 2
        # The house does this at a signal; the supervisor's end is none.
        await house.hang_up(min(_HANG_UP, self._options.drain))
        self._server.stop()
        # uvicorn and hypercorn cut what is still open; granian waits for ever. The app gets its shutdown either way.
        await asyncio.sleep(end - now())
        tell(f"{self._options.drain:g} s were not enough to end what was open: cut off")
        await lifespan.shut_down(STOP_MARGIN / 4)
        serving.cancel()

    def _judge(self, serving: asyncio.Task[None], lifespan: Lifespan, listener: socket) -> Exit:
        error = None if serving.cancelled() else serving.exception()
        if self._stopping.asked.is_set() and not lifespan.failed:
            if error is not None:
                tell_traceback(error)
            return Exit.FINDING if self._stopping.forced or error is not None else Exit.FINE
        if isinstance(error, OSError) and not isinstance(error, ConnectionError):
            with contextlib.suppress(OSError):
                host, port, *_ = listener.getsockname()
                return tell_boot_error(cannot_listen(error, host, port))
        if lifespan.failed:
            tell(f"{self._options.app} could not be started; nothing is served")
            return Exit.FAILED_START
        if error is not None:
            tell_traceback(error)
        tell(f"{self._options.server} has stopped by itself")
        return Exit.FINDING if lifespan.started.is_set() else Exit.FAILED_START
