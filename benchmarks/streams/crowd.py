"""Many clients in one process: bytes are counted and dated, and nothing more is done with them."""

import asyncio
import re
import time
from array import array
from typing import cast

_DATED = re.compile(rb'"t": ?(\d+)')


class Reader(asyncio.Protocol):
    """One connection; what it reads goes into the crowd's figures."""

    def __init__(self, crowd: "Crowd") -> None:
        self._crowd = crowd
        self._rest = b""
        self.begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire = cast("asyncio.Transport", transport)
        self._crowd.transports.append(wire)
        wire.write(b"GET " + self._crowd.path + b" HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if not self.begun:
            self.begun = True
            self._crowd.begun += 1
        found = _DATED.findall(data)
        if data.find(b'"t"', -20) >= 0 or not found:  # an event's date may be torn apart, once in a while
            found = _DATED.findall(self._rest + data)
        self._rest = data[-30:] if not data.endswith(b"\n") else b""
        for dated in found:
            self._crowd.took.append((now - int(dated)) / 1e6)


class Crowd:
    """So many connections.

    Attributes:
        took: of each delivery the milliseconds since it was published.
    """

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self.path = path.encode()
        self.transports: list[asyncio.Transport] = []
        self.took = array("d")
        self.begun = 0

    async def gather(self, count: int) -> None:
        """Connect, and wait until each has its answer's head."""
        loop = asyncio.get_running_loop()
        for _ in range(count):
            await loop.create_connection(lambda: Reader(self), "127.0.0.1", self._port)
        async with asyncio.timeout(60):
            while self.begun < count:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def count(self, expected: int, seconds: float) -> int:
        """Wait until so many were delivered, or so long; how many were."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while len(self.took) < expected and loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return len(self.took)

    def leave(self) -> None:
        """Hang up."""
        for transport in self.transports:
            transport.abort()
