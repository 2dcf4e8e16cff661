"""The run over uvicorn: one server process per row, one load generator, short slices in shuffled turn.

The generator is this process; it keeps a few connections to every server and drives one server at a time.
Requests per second depend on it and on the machine, so each row is given as a ratio to the bare app from
the same rounds, and beside it the processor time that the server process spent per request, where the
system can tell (Linux).
"""

import asyncio
import contextlib
import itertools
import json
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.candidates import BARE, Candidate
from benchmarks.stats import Blocks, Estimate
from benchmarks.traffic import BODY, header_fields

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 20.0
"""Seconds until a server or an answer counts as lost."""


@dataclass(frozen=True, slots=True)
class Load:
    """How long to drive: rounds, seconds per slice, connections to each server."""

    rounds: int = 15
    slice: float = 0.25
    connections: int = 16


@dataclass(frozen=True, slots=True)
class Beside:
    """Requests per second of a row, divided by its peer's.

    Attributes:
        at_least: the bar, or None where it is only reported.
    """

    peer: str
    ratio: Estimate
    at_least: float | None


@dataclass(frozen=True, slots=True)
class Served:
    """A row of the run over uvicorn.

    Attributes:
        per_second: requests per second, 90th percentile of slices.
        ratio: that, divided by the bare app's.
        server_us: microseconds of the server's processor time per request, 10th percentile of slices, or
            None.
        beside: requests per second, divided by those of each peer that was served too.
    """

    name: str
    per_second: float
    ratio: Estimate
    server_us: float | None
    beside: tuple[Beside, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Give the row for the JSON document."""
        return asdict(self)


class Connection(asyncio.Protocol):
    """A keep-alive connection with one request in flight. An answer ends with the body that all rows send."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self.requests = requests
        self.buffer = b""
        self.count = 0
        self.until = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def drive(self, until: float) -> asyncio.Future[None]:
        """Ask again and again until that time; the future is done when the last answer is there."""
        self.until, self.count = until, 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport.write(next(self.requests))
        return self.done

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.buffer.startswith(b"HTTP/1.1 200 "[: len(self.buffer)]):
            self._fail(RuntimeError(f"the server answered {self.buffer[:200]!r}"))
        elif self.buffer.endswith(BODY):
            self.buffer = b""
            self.count += 1
            if time.perf_counter() < self.until:
                self.transport.write(next(self.requests))
            else:
                self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("the server closed the connection"))

    def _fail(self, why: Exception) -> None:
        if hasattr(self, "done") and not self.done.done():
            self.done.set_exception(why)


@dataclass(slots=True, eq=False)
class Server:
    """A server process, the connections to it, and nanoseconds per request, one per slice."""

    name: str
    pid: int
    connections: list[Connection]
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    async def slice(self, seconds: float) -> None:
        """Drive all connections for that long."""
        spent, begun = _processor_ns(self.pid), time.perf_counter_ns()
        driven = [one.drive(time.perf_counter() + seconds) for one in self.connections]
        async with asyncio.timeout(seconds + _PATIENCE):
            await asyncio.gather(*driven)
        took = time.perf_counter_ns() - begun
        count = sum(one.count for one in self.connections)
        self.wall.append(took / count)
        if spent is not None:
            self.processor.append(((_processor_ns(self.pid) or spent) - spent) / count)


def _processor_ns(pid: int) -> int | None:
    """Read another process's CPU clock; on Linux its id holds the pid (clock_getcpuclockid(3))."""
    if not sys.platform.startswith("linux"):
        return None
    return time.clock_gettime_ns((~pid << 3) | 2)


async def run(rows: Sequence[Candidate], load: Load) -> list[Served]:
    """Serve the rows, drive them, and work out the table. Takes rounds x slices; every wait has a limit."""
    async with contextlib.AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(_serving(row, load)) for row in rows]
        order = list(servers)
        shuffle = random.Random(20).shuffle
        for server in servers:
            await server.slice(load.slice)
            server.wall.clear()
            server.processor.clear()
        for _ in range(load.rounds):
            shuffle(order)
            for server in order:
                await server.slice(load.slice)
    return _table(servers, {row.name: row for row in rows})


def _table(servers: Sequence[Server], rows: Mapping[str, Candidate]) -> list[Served]:
    wall = Blocks({server.name: server.wall for server in servers})
    counted = all(server.processor for server in servers)
    processor = Blocks({server.name: server.processor for server in servers}) if counted else None
    return [
        Served(
            server.name,
            1e9 / wall.cost(server.name).value,
            _ratio(wall, server.name, BARE),
            round(processor.cost(server.name).value / 1000, 2) if processor else None,
            tuple(
                Beside(peer.name, _ratio(wall, server.name, peer.name), peer.at_least)
                for peer in rows[server.name].against
                if peer.name in rows
            ),
        )
        for server in servers
    ]


def _ratio(wall: Blocks, name: str, peer: str) -> Estimate:
    return wall.estimate(lambda costs: costs[peer] / costs[name])


@contextlib.asynccontextmanager
async def _serving(row: Candidate, load: Load) -> AsyncIterator[Server]:
    command = [sys.executable, "-m", "benchmarks.serve", row.name]
    child = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT)
    try:
        assert child.stdout is not None
        line = await asyncio.wait_for(child.stdout.readline(), _PATIENCE)
        if not line:
            raise RuntimeError(f"the server of {row.name!r} did not start")
        said = json.loads(line)
        requests = itertools.cycle(_requests(said["bearer"]))
        connect = asyncio.get_running_loop().create_connection
        pairs = [
            await connect(lambda: Connection(requests), "127.0.0.1", said["port"]) for _ in range(load.connections)
        ]
        yield Server(row.name, child.pid, [protocol for _, protocol in pairs])
        for transport, _ in pairs:
            transport.close()
    finally:
        child.terminate()
        try:
            await asyncio.wait_for(child.wait(), 5)
        except TimeoutError:
            child.kill()
            await child.wait()


def _requests(bearer: str) -> list[bytes]:
    """Make the requests of the in-process run, with the token that this server's key has signed."""
    fields = {**dict(header_fields()), "authorization": f"Bearer {bearer}"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return [f"GET /orders/{number}?expand=lines HTTP/1.1\r\n{lines}\r\n".encode() for number in range(64)]
