"""Looking again: whenever the link says that something has changed, and from time to time, for it may lose a word."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NoReturn

from narthex.link import Link


async def keep_looking(link: Link, topic: str, look: Callable[[], Awaitable[object]], every: float) -> NoReturn:
    """Look at once, after each change of the topic, and `every` so many seconds. Runs for ever; for `House.spawn`.

    Args:
        link: the store's.
        topic: of what is looked at: the name of a log, say.
        look: reads what is new. What it raises ends the rounds; a change meanwhile is followed by another look.
        every: seconds between two looks that nobody asked for.
    """
    changed = asyncio.Event()
    unsubscribe = link.subscribe(topic, changed.set)
    try:
        while True:
            changed.clear()
            await look()
            with suppress(TimeoutError):
                async with asyncio.timeout(every):  # wait_for may swallow a cancellation before Python 3.12
                    await changed.wait()
    finally:
        unsubscribe()
