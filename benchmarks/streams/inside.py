"""What a delivery costs in process: publish, until every stream has handed it to its server. CPU time, best of rounds.

Of Litestar the subscribers of its channels alone, without the response round them; of ours the whole way, from
`publish` to the server's `send`.
"""

import asyncio
import time
from typing import Any

ROUNDS, EVENTS = 12, 20


async def _timed(publish: Any, delivered: Any, streams: int, together: int) -> float:
    """Seconds a delivery."""
    best = float("inf")
    for _ in range(ROUNDS):
        goal = delivered()
        began = time.thread_time()
        for _ in range(EVENTS // together):
            for _ in range(together):
                await publish()
            goal += streams * together
            while delivered() < goal:  # noqa: ASYNC110  nothing else is to be paid for
                await asyncio.sleep(0)
        best = min(best, (time.thread_time() - began) / (streams * EVENTS))
    return best


async def litestar(streams: int) -> tuple[float, float]:
    from litestar.channels import ChannelsPlugin
    from litestar.channels.backends.memory import MemoryChannelsBackend

    count = 0
    channels = ChannelsPlugin(MemoryChannelsBackend(), channels=["bench"])

    async def read(subscriber: Any) -> None:
        nonlocal count
        async for _ in subscriber.iter_events():
            count += 1

    async with channels:
        readers = [asyncio.create_task(read(await channels.subscribe(["bench"]))) for _ in range(streams)]
        await asyncio.sleep(0.1)

        async def publish() -> None:
            channels.publish({"filling": "x" * 160}, ["bench"])

        found = [await _timed(publish, lambda: count, streams, together) for together in (1, 10)]
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    return found[0], found[1]


async def ours(streams: int) -> tuple[float, float]:
    from narthex import Narthex
    from narthex.testing import Hello
    from narthex_plugins import events

    count = 0
    table = {"topics": [{"topic": "bench.>", "read": "public"}], "streams_each": 100_000, "house": False}
    house = Narthex(
        Hello(),
        {"narthex": {"store": "memory"}, "plugins": {"events": table}},
    )
    inbox: asyncio.Queue[Any] = asyncio.Queue()
    outbox: asyncio.Queue[Any] = asyncio.Queue()
    life = asyncio.create_task(house({"type": "lifespan", "asgi": {"version": "3.0"}}, inbox.get, outbox.put))
    await inbox.put({"type": "lifespan.startup"})
    assert (await outbox.get())["type"] == "lifespan.startup.complete"

    async def open_one() -> None:
        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            nonlocal count
            count += message.get("body", b"").count(b"data: ")

        scope: dict[str, Any] = {
            "type": "http", "method": "GET", "path": "/_narthex/events", "raw_path": b"/_narthex/events",
            "query_string": b"topic=bench.>", "headers": [], "http_version": "1.1", "scheme": "http", "root_path": "",
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "asgi": {"version": "3.0", "spec_version": "2.3"},
        }  # fmt: skip
        await house(scope, receive, send)

    readers = [asyncio.create_task(open_one()) for _ in range(streams)]
    await asyncio.sleep(0.5)

    async def publish() -> None:
        await events.publish("bench.inside", {"filling": "x" * 160})

    found = [await _timed(publish, lambda: count, streams, together) for together in (1, 10)]
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    await inbox.put({"type": "lifespan.shutdown"})
    await outbox.get()
    await life
    return found[0], found[1]


def per_delivery(streams: int) -> dict[str, tuple[float, float]]:
    """Of each candidate the seconds a delivery, one event at a time and ten at a time."""
    return {"litestar_channels": asyncio.run(litestar(streams)), "narthex_events": asyncio.run(ours(streams))}
