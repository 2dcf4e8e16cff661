"""Signals of one worker: when to stop, and how hard.

Handlers are set with `signal.signal` before the app starts and stay for the life of the process, so that Narthex
finds something to chain to, whichever server runs. None of them is the server's own: uvicorn's would exit with 143
after a clean stop, and both uvicorn's and granian's supervisors replace their workers on SIGHUP.

    while importing       SIGTERM, SIGINT    leave at once, exit 0: nothing has been opened
    first of them         stop gracefully, within `drain`
    second of them        stop without waiting
    drain + margin later  SIGALRM, whose default action ends the process: no blocked loop can hold it up
    SIGHUP                reload; a lost terminal sends it too, and then it means stop
"""

import asyncio
import os
import signal
from collections.abc import Callable
from types import FrameType

from narthex.serve.exits import Exit
from narthex.serve.options import STOP_MARGIN


class Interrupted(SystemExit):
    """A stop that came while the app was imported."""


class Stopping:
    """Listens for the operator's wish to stop. One per process, in its main thread.

    Args:
        drain: seconds that a graceful stop may take, before the margin.
        supervised: a parent passes the wish on, so a SIGINT from the terminal, which everyone in the foreground
            gets, is not counted again, and neither is SIGHUP.

    Attributes:
        asked: set when a graceful stop was asked for.
        hangup: set when a SIGHUP asked for a reload.
        forced: a second signal said not to wait.
    """

    def __init__(self, drain: float, *, supervised: bool) -> None:
        self._limit = drain + STOP_MARGIN
        self._loop: asyncio.AbstractEventLoop | None = None
        self._force: Callable[[], object] | None = None
        self._hangup = Hangup()
        self._alarmed = False
        self.asked = asyncio.Event()
        self.hangup = asyncio.Event()
        self.forced = False
        signal.signal(signal.SIGTERM, self._on_stop)
        # A handler that does nothing, not SIG_IGN: what is ignored stays ignored in programs that the app starts.
        signal.signal(signal.SIGINT, _nothing if supervised else self._on_stop)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, _nothing if supervised else self._on_hangup)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def attach(self, loop: asyncio.AbstractEventLoop, force: Callable[[], object]) -> None:
        """From now on stop through the loop; `force` ends it without waiting."""
        self._loop = loop
        self._force = force

    def ask(self) -> None:
        """Ask for a graceful stop, as a first SIGTERM does."""
        self._set_alarm()
        self.asked.set()

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._loop is None:
            raise Interrupted(Exit.FINE)
        # Here and not in the loop, which may be blocked.
        self._set_alarm()
        self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if not self.asked.is_set():
            self.ask()
        elif self._force is not None:
            self.forced = True
            self._force()

    def _set_alarm(self) -> None:
        if not self._alarmed:
            self._alarmed = True
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, self._limit)

    def _on_hangup(self, number: int, frame: FrameType | None) -> None:
        if self._hangup.terminal_is_lost():
            self._on_stop(number, frame)
        elif self._loop is not None:  # before that, the file is about to be read anyway
            self._loop.call_soon_threadsafe(self.hangup.set)


class Hangup:
    """Tells a SIGHUP that a person sent from the one the kernel sends when the terminal window is closed."""

    def __init__(self) -> None:
        self._had_terminal = _has_terminal()

    def terminal_is_lost(self) -> bool:
        """Whether there was a controlling terminal at the start and is none now."""
        return self._had_terminal and not _has_terminal()


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _nothing(_number: int, _frame: FrameType | None) -> None:
    return
