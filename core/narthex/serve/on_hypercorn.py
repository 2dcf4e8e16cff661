"""hypercorn, with its defaults: HTTP/1.1 and h2c, Python's own loop, no access log."""

import asyncio
import logging
from socket import socket
from typing import Any, cast

from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType]  a bare dict in its types
from hypercorn.config import Config
from hypercorn.utils import LifespanFailureError, LifespanTimeoutError

from narthex.asgi import ASGIApp
from narthex.serve.options import Options


class Adapter:
    """See `servers.Server`."""

    imports_in_loop = False

    def __init__(self, options: Options) -> None:
        self._stop = asyncio.Event()
        self._config = Config()
        # One second more than Narthex itself takes to end what is open.
        self._config.graceful_timeout = options.drain + 1
        if options.own_logs:
            self._config.errorlog = logging.getLogger("hypercorn.error")

    def loop_factory(self) -> None:
        """Python's own loop, as bare."""

    async def serve(self, app: ASGIApp, listener: socket) -> None:
        """Serve; raises LifespanFailureError or LifespanTimeoutError where the app does not start."""
        self._config.bind = [f"fd://{listener.detach()}"]
        framework = cast("Any", app)  # hypercorn types every message
        try:
            await serve(framework, self._config, shutdown_trigger=self._stop.wait, mode="asgi")
        except (LifespanFailureError, LifespanTimeoutError) as error:
            # The other servers log what the app said; this one leaves it to its caller.
            await self._config.log.error("%s", error)  # noqa: TRY400  the app's words; the trace is hypercorn's own
            raise

    def stop(self) -> None:
        """Fire hypercorn's shutdown trigger."""
        self._stop.set()
