"""uvicorn, with its defaults for protocols and loop."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Generator
from copy import deepcopy
from socket import socket
from typing import Any

import uvicorn
from uvicorn.config import LOGGING_CONFIG

from narthex.asgi import ASGIApp
from narthex.errors import StartError
from narthex.serve.options import Options


class _Server(uvicorn.Server):
    """Leaves signals to us: the original raises the signal again when it has stopped, and so exits with 143."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def _unset(_scope: object, _receive: object, _send: object) -> None:
    raise RuntimeError("the app is set before it is served")


class Adapter:
    """See `servers.Server`."""

    imports_in_loop = True

    def __init__(self, options: Options) -> None:
        log_config: dict[str, Any] | None = None if options.own_logs else deepcopy(LOGGING_CONFIG)
        self._config = uvicorn.Config(
            _unset,
            interface="asgi3",
            lifespan="on",
            proxy_headers=False,
            access_log=not options.own_logs,
            log_config=log_config,
            use_colors=False if os.environ.get("NO_COLOR") else None,
            workers=1,
            # Typed int, used as `asyncio.wait_for(timeout=...)`. One second more than Narthex itself takes to end
            # what is open, so that uvicorn cuts only what did not obey.
            timeout_graceful_shutdown=options.drain + 1,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        )
        self._server = _Server(self._config)

    def loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop] | None:
        """As bare: uvloop where it is installed."""
        return self._config.get_loop_factory()

    async def serve(self, app: ASGIApp, listener: socket) -> None:
        """Serve; uvicorn leaves by SystemExit when it could not start."""
        self._config.app = app
        try:
            await self._server.serve(sockets=[listener])
        except SystemExit as error:
            raise StartError("uvicorn could not start") from error

    def stop(self) -> None:
        """Set what uvicorn looks at ten times a second."""
        self._server.should_exit = True
