"""One worker: import the app, put the house in front, serve until told to stop.

The same code runs in the foreground (`--workers 1`) and as a child of the supervisor (`python -m narthex.serve`).
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from socket import socket
from typing import cast

from narthex.app import Narthex
from narthex.asgi import ASGIApp
from narthex.errors import BootError, StartError
from narthex.serve import servers
from narthex.serve.application import extend_path, import_app
from narthex.serve.binding import cannot_listen, is_listening
from narthex.serve.exits import Exit
from narthex.serve.lifespan import Lifespan
from narthex.serve.messages import tell, tell_boot_error, tell_traceback
from narthex.serve.options import STOP_MARGIN, Options
from narthex.serve.stopping import Interrupted, Stopping

_POLL = 0.01  # seconds between looks at whether the server listens already


def work(
    options: Options,
    listener: socket,
    on_ready: Callable[[], None],
    supervisor: socket | None = None,
) -> Exit:
    """Serve in this process until a signal, or the supervisor's end, asks for a stop.

    Args:
        options: what to serve, and by which server.
        listener: bound and not yet listening; closed here once the server listens on a duplicate.
        on_ready: called once, when the app has started and connections are accepted.
        supervisor: the parent's end of life is the end of this stream; None in the foreground.

    Returns:
        FINE after a stop that was asked for, FINDING after one that was forced or that nobody asked for, USAGE or
        FAILED_START where nothing was served; the reason has been written to standard error.
    """
    stopping = Stopping(options.drain, supervised=supervisor is not None)
    server = servers.make(options)
    job = _Work(options, server, stopping, on_ready)
    try:
        app = None if server.imports_in_loop else load(options)
        with asyncio.Runner(loop_factory=server.loop_factory()) as runner:
            return runner.run(job.run(app, listener, supervisor))
    except BootError as error:
        return tell_boot_error(error)
    except Interrupted:
        return Exit.FINE
    except SystemExit as error:
        if job.started:
            raise
        tell(f"{options.app} called sys.exit({error.code!r}) while it started; nothing is served")
        return Exit.FAILED_START


def load(options: Options) -> ASGIApp:
    """Import the app and build the house in front of it.

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
    return Narthex(cast("ASGIApp", app), config)


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
        self, options: Options, server: servers.Server, stopping: Stopping, on_ready: Callable[[], None]
    ) -> None:
        self._options = options
        self._server = server
        self._stopping = stopping
        self._on_ready = on_ready
        self.started = False

    async def run(self, app: ASGIApp | None, listener: socket, supervisor: socket | None) -> Exit:
        lifespan = Lifespan(app or load(self._options))
        serving = asyncio.create_task(self._server.serve(lifespan, listener.dup()), name="server")
        loop = asyncio.get_running_loop()
        self._stopping.attach(loop, serving.cancel)
        if supervisor is not None:

            def orphaned() -> None:
                # The end of a stream can be read for ever: the loop would do nothing else until the drain is over.
                loop.remove_reader(supervisor)
                self._stopping.ask()

            loop.add_reader(supervisor, orphaned)
        aides = [
            asyncio.create_task(self._announce(lifespan, listener), name="announce"),
            asyncio.create_task(self._stop(lifespan, serving), name="stop"),
        ]
        try:
            await asyncio.wait({serving})
        finally:
            for aide in aides:
                aide.cancel()
        return self._judge(serving, lifespan, listener)

    async def _announce(self, lifespan: Lifespan, listener: socket) -> None:
        await lifespan.started.wait()
        self.started = True
        while not is_listening(listener):  # noqa: ASYNC110  the kernel knows, and sends no event
            await asyncio.sleep(_POLL)
        # Only the server may hold the socket now: closed by it, new connections are refused, not left waiting.
        listener.close()
        self._on_ready()

    async def _stop(self, lifespan: Lifespan, serving: asyncio.Task[None]) -> None:
        await self._stopping.asked.wait()
        if not lifespan.started.is_set():
            # Nobody has been let in. What had begun to start is cancelled, and releases what it holds.
            serving.cancel()
            return
        self._server.stop()
        # uvicorn and hypercorn cut what is still open; granian waits for ever. The app gets its shutdown either way.
        await asyncio.sleep(self._options.drain + STOP_MARGIN / 2)
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
