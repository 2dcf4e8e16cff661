"""Carry from the writer's thread into an event loop.

`call_soon_threadsafe` does the same from anybody's thread. A record that is written alone waits for it twice as long:
uvloop takes three rounds of its loop from the byte to the task, and holds on to the interpreter meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from narthex.store.bell import Bell

T = TypeVar("T")


class Waker(Generic[T]):
    """From one thread into one loop, in order.

    Args:
        loop: the running one.
        arrived: called in the loop with each thing that was carried.

    Raises:
        NotImplementedError: the loop cannot watch a pipe.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, arrived: Callable[[T], None]) -> None:
        self.loop = loop
        self._arrived = arrived
        self._carried: deque[T] = deque()
        self._closed = False
        self._bell = Bell(blocking=False)
        loop.add_reader(self._bell.ear, self._awake)

    def carry(self, what: T) -> None:
        """Have `arrived` called with it soon. Any thread; after `close` too, by the loop's own way, while it runs."""
        self._carried.append(what)
        if not self._closed:
            self._bell.ring()
            return
        with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            self.loop.call_soon_threadsafe(self._deliver)

    def close(self) -> None:
        """Deliver what is under way, and watch no more. In the loop."""
        self._closed = True  # before the last look: what is carried after it sees this
        self.loop.remove_reader(self._bell.ear)
        self._deliver()

    def _awake(self) -> None:
        self._bell.hear()
        self._deliver()

    def _deliver(self) -> None:
        while self._carried:
            self._arrived(self._carried.popleft())
