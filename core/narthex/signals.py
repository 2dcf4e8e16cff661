"""SIGTERM and SIGINT: the house hears of them first, then whoever listened before it, as if it were not there.

The server's handler stops it from accepting and waits for open connections, and an open stream would hold it for
ever; the house ends those. What is held back meanwhile:

    handlers set with `signal.signal`           nothing, where the server's lifespan tells the end; else all of it
    handlers set with `loop.add_signal_handler`  always: granian's ends the process while sockets are open

Without lifespan events the process may be gone within a moment of its own handler. A handler of Python's own that the
server set is otherwise called at once, for it may do what no blocked loop must delay: `narthex run` sets an alarm.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from narthex.wakeup import Wakeup

_NUMBERS: Final = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Chained in front of the handlers that the server has installed. Only in the main thread."""

    def __init__(self) -> None:
        self._told: Callable[[bool], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wakeup: Wakeup | None = None
        self._holds = False
        self._heard: set[int] = set()
        self._held: list[int] = []
        self._before: dict[int, Any] = {}

    def listen(self, told: Callable[[bool], None], *, hold: bool) -> None:
        """Begin.

        Args:
            told: called on this loop at each signal, with whether it is held back from every handler; from those of
                the loop it always is. Whoever is told calls `pass_on`.
            hold: keep signals back from every handler. The same signal a second time never is.
        """
        if threading.current_thread() is not threading.main_thread():
            return  # Python lets nobody else set handlers
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._holds = hold
        self._heard, self._held = set(), []
        for number in _NUMBERS:
            before = signal.getsignal(number)
            # None: set by something that is not Python, which cannot be called. Ignored: nobody is to stop by it.
            if before is not None and before is not signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._on_signal)
        self._wakeup = Wakeup()
        self._wakeup.take()

    def pass_on(self) -> None:
        """Let through what was held back, and hold nothing from now on."""
        self._told = None  # our handler may be kept by somebody who came after us, and must not keep the house
        held, self._held = self._held, []
        if self._wakeup is not None:
            self._wakeup.let_go()
        for number in held:
            self._forward(number, None)

    def restore(self) -> None:
        """End: put back what was there, unless somebody has come after us; then only pass signals through."""
        self._loop = None
        self._told = None
        if threading.current_thread() is not threading.main_thread():
            return
        for number, before in self._before.items():
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, before)
        if self._wakeup is not None:
            self._wakeup.restore()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        loop, told = self._loop, self._told
        if loop is not None and told is not None and not loop.is_closed():
            first = number not in self._heard
            self._heard.add(number)
            loop.call_soon_threadsafe(told, self._holds)
            if first and self._wakeup is not None:
                self._wakeup.keep(number)
            # uvloop's own handler is a method of the loop, and takes note of what it hears with the next byte.
            if first and (self._holds or getattr(self._before.get(number), "__self__", None) is loop):
                self._held.append(number)
                return
        self._forward(number, frame)

    def _forward(self, number: int, frame: FrameType | None) -> None:
        before = self._before.get(number, signal.SIG_DFL)
        if callable(before):
            before(number, frame)
        elif before == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
