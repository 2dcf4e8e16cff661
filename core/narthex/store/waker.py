"""Wake an event loop from the writer's thread: a byte down a pipe that the loop watches.

`call_soon_threadsafe` does the same for anybody's thread. A record that is written alone waits for it twice as long:
uvloop takes three rounds of its loop from the byte to the task, and holds on to the interpreter meanwhile.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Waker(Generic[T]):
    """Carry what one thread has done into a loop, in order.

    Args:
        loop: the running one, which can watch a file descriptor.
        arrived: called in the loop with each thing that was carried.

    Raises:
        NotImplementedError: the loop cannot watch one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, arrived: Callable[[T], None]) -> None:
        self.loop = loop
        self._arrived = arrived
        self._carried: deque[T] = deque()
        self._out, self._in = os.pipe()
        try:
            os.set_blocking(self._out, False)
            os.set_blocking(self._in, False)
            loop.add_reader(self._out, self._awake)
        except BaseException:
            self._close_pipe()
            raise

    def carry(self, what: T) -> None:
        """Have `arrived` called with it soon. Thread-safe; not after `close`."""
        self._carried.append(what)
        with suppress(BlockingIOError):  # so many bytes are in the pipe already: it will wake
            os.write(self._in, b"\0")

    def close(self, *, over: bool = True) -> None:
        """Deliver what is under way, and watch no more. In the loop.

        Args:
            over: nobody carries any more. Else the pipe stays, so that a late byte goes nowhere else.
        """
        self.loop.remove_reader(self._out)
        self._deliver()
        if over:
            self._close_pipe()

    def _awake(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._out, 4096)
        self._deliver()

    def _deliver(self) -> None:
        while self._carried:
            self._arrived(self._carried.popleft())

    def _close_pipe(self) -> None:
        os.close(self._out)
        os.close(self._in)
