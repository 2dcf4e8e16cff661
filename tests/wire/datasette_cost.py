"""What a request to Datasette costs bare and behind Narthex: `python -m tests.wire.datasette_cost`, two minutes.

Both stand in one process and take turns in shuffled order. Processor time of all threads, so that the log's writer
is charged too; the 10th percentile of the blocks, because noise only ever adds.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from narthex import Narthex
from narthex.asgi import ASGIApp, Message
from narthex.testing import http_scope
from tests.wire.datasette_site import build

BLOCKS: Sequence[tuple[str, int, int]] = (
    ("/-/actor.json", 100, 40),
    ("/-/static/app.css", 50, 40),
    ("/trees/tree/1.json", 30, 40),
    ("/trees/tree?_nosuggest=1", 2, 20),
    ("/trees/tree.csv?_stream=on", 1, 8),
)
"""Target, requests in a block, blocks."""


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Message) -> None:
    return


async def block(app: ASGIApp, target: str, count: int) -> float:
    """Microseconds of processor time per request."""
    began = time.process_time()
    for _ in range(count):
        await app(http_scope("GET", target, [("host", "trees.example")]), receive, send)
    return (time.process_time() - began) / count * 1e6


async def measure(apps: dict[str, ASGIApp]) -> None:
    for app in apps.values():
        await block(app, "/", 1)
    for target, count, blocks in BLOCKS:
        costs: dict[str, list[float]] = {name: [] for name in apps}
        for _ in range(blocks):
            for name, app in random.sample(list(apps.items()), len(apps)):
                costs[name].append(await block(app, target, count))
        told = "  ".join(f"{name} {sorted(cost)[len(cost) // 10]:12,.0f} us" for name, cost in costs.items())
        print(f"{target:30}  {told}", flush=True)  # noqa: T201  this is a program


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        build(Path(directory))
        os.chdir(directory)
        sys.path.insert(0, directory)
        bare: ASGIApp = import_module("site_of_trees").app
        plugins = {"logging": {"output": f"{directory}/log.jsonl", "capture": False}, "health": {}}
        asyncio.run(measure({"bare": bare, "behind": Narthex(bare, {"plugins": plugins})}))


if __name__ == "__main__":
    main()
