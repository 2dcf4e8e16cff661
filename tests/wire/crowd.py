"""Many clients at once, with exchanges that stay open: event streams over raw sockets, and websockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

LIMIT = 60.0


@dataclass
class Stream:
    """A response over HTTP/1.1 that is still open."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    received: bytearray = field(default_factory=bytearray)

    async def more(self) -> None:
        """Wait until something more has come."""
        part = await self.reader.read(65536)
        assert part, bytes(self.received[-200:])
        self.received += part

    async def whole(self) -> bool:
        """Read to the end; whether it ended with its last chunk."""
        with suppress(ConnectionError):
            while part := await self.reader.read(65536):
                self.received += part
                if self.received.endswith(b"\r\n0\r\n\r\n"):
                    break
        return self.received.endswith(b"\r\n0\r\n\r\n")


@dataclass
class Crowd:
    """What is open."""

    streams: list[Stream] = field(default_factory=list)
    sockets: list[ClientConnection] = field(default_factory=list)

    async def ends(self) -> tuple[int, set[int]]:
        """Wait until all have ended: how many streams were whole, and the close codes of the sockets."""
        async with asyncio.timeout(LIMIT):
            whole = await asyncio.gather(*(stream.whole() for stream in self.streams))
            codes = await asyncio.gather(*(_code(socket) for socket in self.sockets))
        return sum(whole), set(codes)


async def _code(socket: ClientConnection) -> int:
    with suppress(ConnectionClosed):
        while True:
            await socket.recv()
    assert socket.close_code is not None
    return socket.close_code


async def get(url: str, path: str) -> Stream:
    """Ask, and return once the answer has begun."""
    at = urlsplit(url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    stream = Stream(reader, writer)
    while b"data: 0" not in stream.received:
        await stream.more()
    return stream


@asynccontextmanager
async def crowd(url: str, *, streams: int = 0, silent: int = 0, sockets: int = 0) -> AsyncIterator[Crowd]:
    """Open them all; close what is left at the end."""
    opened = Crowd()
    async with AsyncExitStack() as stack, asyncio.timeout(LIMIT * 2):
        for count, path in ((streams, "/events"), (silent, "/silent")):
            for _ in range(count):
                stream = await get(url, path)
                stack.callback(stream.writer.close)
                opened.streams.append(stream)
        for _ in range(sockets):
            socket = await stack.enter_async_context(connect(url.replace("http", "ws", 1), ping_interval=None))
            await socket.send("hello")
            assert await socket.recv() == "hello"
            opened.sockets.append(socket)
        yield opened
