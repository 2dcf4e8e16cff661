"""The seam between the worker and the three servers.

An adapter lives in a module of its own, imported only when it is chosen. It behaves as its server does when started
bare, but for four things: it takes the socket it is given, leaves signals alone, knows nothing of proxies (Narthex
judges forwarded fields itself, and only from trusted ones), and a start that fails raises.
"""

import asyncio
import importlib.util
from collections.abc import Callable
from importlib import import_module
from socket import socket
from typing import Final, Protocol, cast, get_args

from narthex.asgi import ASGIApp
from narthex.errors import ConfigError
from narthex.serve.options import Options, ServerName

SERVERS: Final[tuple[ServerName, ...]] = get_args(ServerName)


class Server(Protocol):
    """One server, configured; its logging is set up by the constructor, before the app is imported."""

    def __init__(self, options: Options) -> None: ...

    @property
    def imports_in_loop(self) -> bool:
        """Whether the bare server imports the app inside the running loop: some apps look for it."""
        ...

    def loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop] | None:
        """The event loop this server chooses; None for Python's own."""
        ...

    async def serve(self, app: ASGIApp, listener: socket) -> None:
        """Serve until `stop`; the listener belongs to the server from now on. Any exception is a failed start."""
        ...

    def stop(self) -> None:
        """Begin a graceful stop: accept nothing more, let exchanges end. Called once, after start-up."""
        ...


def require(name: ServerName, where: str = "") -> None:
    """Make sure that a server is there.

    Raises:
        ConfigError: its package is not installed.
    """
    if importlib.util.find_spec(name) is None:
        others = " or ".join(other for other in SERVERS if importlib.util.find_spec(other))
        hint = f"pip install 'narthex[{name}]'" + (f", or choose --server {others}" if others else "")
        raise ConfigError(f"the server {name!r} is not installed", where=where, hint=hint)


def make(options: Options) -> Server:
    """Import the chosen server's adapter and configure it."""
    module = import_module(f"narthex.serve.on_{options.server}")
    adapter = cast("type[Server]", module.Adapter)
    return adapter(options)
