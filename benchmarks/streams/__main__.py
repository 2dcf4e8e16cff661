"""How many events a second 1,000 real connections get at p99 under 200 ms, what a delivery costs, what one weighs.

    python -m benchmarks.streams            all of it, some minutes
    python -m benchmarks.streams --only narthex_events --rates 40 80 120

The server is uvicorn, in a process of its own; the clients are in another. Rates rise until one is not held.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from tempfile import TemporaryDirectory
from typing import Any

import uvloop

from benchmarks.streams.crowd import Crowd
from benchmarks.streams.inside import per_delivery
from tests.wire.servers import free_port

CANDIDATES = ("sse_starlette", "litestar_channels", "streaming_response", "narthex_events")
RATES = (10, 15, 20, 25, 30, 40, 50, 65, 80, 100, 125, 150, 200, 250, 300, 400)
PATHS = {"narthex_events": "/_narthex/events?topic=bench.>"}
LIMIT = 200.0
"""Milliseconds at p99."""


def ask(port: int, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def serve(name: str, port: int, directory: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "uvicorn", f"benchmarks.streams.sites:{name}", "--factory", f"--port={port}"]
    quiet = ["--log-level=warning", "--no-access-log", "--loop=uvloop", "--http=httptools", "--backlog=4096"]
    return subprocess.Popen([*command, *quiet], env={**os.environ, "STREAMS_DIRECTORY": directory})


async def ready(port: int) -> dict[str, Any]:
    for _ in range(600):
        try:
            return await asyncio.to_thread(ask, port, "/memory")
        except OSError:
            await asyncio.sleep(0.1)
    raise TimeoutError("the server does not come up")


async def measure(name: str, port: int, connections: int, rates: tuple[int, ...], seconds: float) -> dict[str, Any]:
    before = await ready(port)
    crowd = Crowd(port, PATHS.get(name, "/events"))
    await crowd.gather(connections)
    after = await asyncio.to_thread(ask, port, "/memory")
    steps: list[dict[str, Any]] = []
    for rate in rates:
        crowd.took = type(crowd.took)("d")
        start = await asyncio.to_thread(ask, port, f"/go?rate={rate}&seconds={seconds}")
        expected = round(rate * seconds) * connections
        got = await crowd.count(expected, 2 * seconds + 5)
        end = await asyncio.to_thread(ask, port, "/memory")
        took = sorted(crowd.took)
        p50, p99 = (took[int(len(took) * share)] if took else float("inf") for share in (0.5, 0.99))
        held = got == expected and p99 < LIMIT
        cpu = (end["cpu"] - start["cpu"]) / max(got, 1) * 1e6
        steps.append({"rate": rate, "p50": p50, "p99": p99, "got": got / expected, "cpu_us": cpu, "held": held})
        print(
            f"  {rate:4} a second: p50 {p50:7.1f} p99 {p99:7.1f} ms, {got / expected:6.1%}, {cpu:5.1f} µs each",
            flush=True,
        )
        if not held:
            break
        await asyncio.sleep(0.3)
    crowd.leave()
    weight = (after["resident"] - before["resident"]) / connections
    best = max((step["rate"] for step in steps if step["held"]), default=0)
    return {"rate": best, "bytes_per_connection": weight, "steps": steps}


def run(name: str, connections: int, rates: tuple[int, ...], seconds: float) -> dict[str, Any]:
    print(name, flush=True)
    with TemporaryDirectory() as directory:
        port = free_port()
        server = serve(name, port, directory)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(measure(name, port, connections, rates, seconds))
        finally:
            server.kill()
            server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=CANDIDATES, default=CANDIDATES)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--rates", type=int, nargs="+", default=RATES)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--wire", action=argparse.BooleanOptionalAction, default=True)
    chosen = parser.parse_args()
    if chosen.wire:
        found = {name: run(name, chosen.connections, tuple(chosen.rates), chosen.seconds) for name in chosen.only}
        for name, one in found.items():
            print(
                f"{name:20} {one['rate']:5} events a second, {one['bytes_per_connection'] / 1024:6.1f} KiB a connection"
            )
    for name, (each, all_at_once) in per_delivery(chosen.connections).items():
        print(f"{name:20} {each * 1e6:6.2f} µs a delivery in process, {all_at_once * 1e6:6.2f} where ten come together")


if __name__ == "__main__":
    main()
