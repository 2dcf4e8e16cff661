"""granian, by its embedded server: in this process and this loop, on the socket it is given.

Its ordinary server brings a supervisor and worker processes of its own, whose exit codes say nothing. The embedded
one runs the same Rust worker. It calls itself experimental on every start; the risk is ours to carry, and our wire
tests run on it, so that line is dropped.
"""

import asyncio
import logging
from collections.abc import Callable
from copy import deepcopy
from socket import socket
from typing import Any

from granian import loops, net
from granian.constants import Interfaces
from granian.log import LOGGING_CONFIG
from granian.server.embed import Server

from narthex.asgi import ASGIApp
from narthex.serve.options import Options

_BACKLOG = 1024  # as the ordinary granian; the embedded one says 128


class _Embedded(Server):
    """Serves a socket that was bound before it, instead of binding one."""

    listener: socket

    def _init_shared_socket(self) -> None:
        # Descriptor, not a unix socket, backlog; the worker calls `listen` when it is ready.
        holder: Any = vars(net)["SocketHolder"]  # imported there, not exported; its stub has no constructor
        self._shd: Any = holder(self.listener.detach(), False, _BACKLOG)
        self._ssp = None


class _NotExperimental(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.msg != "Embedded server is experimental!"


class Adapter:
    """See `servers.Server`."""

    imports_in_loop = False

    def __init__(self, options: Options) -> None:
        # Any: annotated for the command line's use, where the target is text and nothing is returned.
        self._server: Any = _Embedded(
            None,
            interface=Interfaces.ASGI,
            backlog=_BACKLOG,
            log_dictconfig=_to_root() if options.own_logs else None,
        )
        logging.getLogger("_granian").addFilter(_NotExperimental())

    def loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop] | None:
        """As bare: rloop or uvloop where they are installed."""
        return lambda: loops.get("auto")

    async def serve(self, app: ASGIApp, listener: socket) -> None:
        """Serve; raises FatalError where the app does not start."""
        self._server.target = app
        self._server.listener = listener
        self._server.bind_addr, self._server.bind_port, *_ = listener.getsockname()
        await self._server.serve()

    def stop(self) -> None:
        """Let the worker finish what it has."""
        self._server.stop()


def _to_root() -> dict[str, Any]:
    """Granian's logging configuration, with its lines handed to the root logger instead of the console."""
    config: dict[str, Any] = deepcopy(LOGGING_CONFIG)
    for logger in config["loggers"].values():
        logger.update(handlers=[], propagate=True)
    return config
