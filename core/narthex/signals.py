"""SIGTERM and SIGINT: the house hears of them first, then whoever listened before it, as if it were not there.

The server's handler stops it from accepting and waits for open connections, and an open stream would hold it for
ever; the house ends those. Where the server has no lifespan events to tell the end by, the signal is held back until
every plugin is released: with the server's own handler the process may be gone within a moment.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

_NUMBERS: Final = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Chained in front of the handlers that the server has installed. Only in the main thread."""

    def __init__(self) -> None:
        self._told: Callable[[bool], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._holds = False
        self._held: int | None = None
        self._before: dict[int, Any] = {}

    def listen(self, told: Callable[[bool], None], *, hold: bool) -> None:
        """Begin.

        Args:
            told: called on this loop at each signal, with whether it is held back.
            hold: keep the first signal back until `pass_on`.
        """
        if threading.current_thread() is not threading.main_thread():
            return  # Python lets nobody else set handlers
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._holds = hold
        self._held = None
        for number in _NUMBERS:
            before = signal.getsignal(number)
            # None: set by something that is not Python, which cannot be called. Ignored: nobody is to stop by it.
            if before is not None and before is not signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._on_signal)

    def pass_on(self) -> None:
        """Let the signal through that was held back, to whoever listens by now: after `restore`, who did before us."""
        number, self._held = self._held, None
        if number is not None:
            signal.raise_signal(number)

    def restore(self) -> None:
        """End: put back what was there, unless somebody has come after us; then only pass signals through."""
        self._loop = None
        self._holds = False
        self._told = None  # our handler may be kept by somebody who came after us, and must not keep the house
        if threading.current_thread() is not threading.main_thread():
            return
        for number in list(self._before):
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, self._before.pop(number))

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        loop, told, first = self._loop, self._told, self._held is None
        if loop is not None and told is not None and not loop.is_closed():
            hold = self._holds and first
            if hold:
                self._held = number
            loop.call_soon_threadsafe(told, self._holds)
            if hold:
                return
        self._forward(number, frame)

    def _forward(self, number: int, frame: FrameType | None) -> None:
        before = self._before.get(number, signal.SIG_DFL)
        if callable(before):
            before(number, frame)
        elif before == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
