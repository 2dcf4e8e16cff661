"""What strict recording lets through: requests a second of 64 callers, and with a commit for each of their records.

    python -m benchmarks.audit_strict

Each request is a POST whose intent is on the disk before the app is asked, and whose outcome is before the answer
leaves: two records, two waits for the disk. The peer is the same house with the same records, whose writer takes one
of them at a time. Both run in turns, and the ratio is taken within each round; given is the middle one. Time is the
wall's: what is waited for is the disk.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.asgi import ASGIApp, Message
from benchmarks.lifespan import started
from benchmarks.rows.audit import recorded
from benchmarks.traffic import Requests, receive
from narthex.store import writer

CALLERS: Final = 64
ROUNDS: Final = 7
SECONDS: Final = 1.0
AT_LEAST: Final = 3.0
"""Times as many requests a second as with a commit for each."""


async def per_second(app: ASGIApp, group: int) -> float:
    """Requests a second of so many callers, each its next when the last one is answered.

    Args:
        app: the house.
        group: records that the writer takes at a time.
    """
    vars(writer)["GROUP"], before = group, writer.GROUP
    requests, answered, until = Requests(), 0, time.perf_counter() + SECONDS

    async def call() -> None:
        nonlocal answered
        while time.perf_counter() < until:
            (scope,) = requests.take(1)
            scope["method"] = "POST"
            seen: list[int] = []

            async def send(message: Message, seen: list[int] = seen) -> None:
                if message["type"] == "http.response.start":
                    seen.append(message["status"])

            await app(scope, receive, send)
            if seen != [200]:
                raise RuntimeError(f"answered {seen}")
            answered += 1

    begun = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(CALLERS)))
    vars(writer)["GROUP"] = before
    return answered / (time.perf_counter() - begun)


async def compare(directory: str) -> tuple[list[float], list[float]]:
    """Requests a second, together and one by one, round by round."""
    app = recorded(directory=directory, durability="strict")
    together, singly = list[float](), list[float]()
    async with started(app):
        for _ in range(ROUNDS):
            together.append(await per_second(app, 512))
            singly.append(await per_second(app, 1))
    return together, singly


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:  # the disk of the checkout, not one in memory
        together, singly = asyncio.run(compare(directory))
    ratio = statistics.median(one / other for one, other in zip(together, singly, strict=True))
    kept = "kept" if ratio >= AT_LEAST else "MISSED"
    print(f"strict, {CALLERS} at once        {statistics.median(together):7.0f} requests a second")
    print(f"a commit for each record  {statistics.median(singly):7.0f} requests a second")
    print(f"ratio                     {ratio:7.1f}   >= {AT_LEAST:.0f} {kept}")


if __name__ == "__main__":
    main()
