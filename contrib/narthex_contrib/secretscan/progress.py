"""How far a scan is, for whoever waits before a terminal; nothing for a log."""

import sys
import time
from typing import Final

_PAUSE: Final = 0.1
_WIDTH: Final = 30


class Progress:
    """A bar on standard error, if that is a terminal.

    Args:
        total: of what is counted.
        what: it is.
    """

    def __init__(self, total: int, what: str) -> None:
        self._on = sys.stderr.isatty() and total > 0
        self._total, self._what = total, what
        self._done = 0
        self._next = time.monotonic() + _PAUSE

    def forward(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        if self._on and time.monotonic() >= self._next:
            self._next = time.monotonic() + _PAUSE
            full = min(_WIDTH, _WIDTH * self._done // self._total)
            sys.stderr.write(f"\r[{'#' * full}{'.' * (_WIDTH - full)}] {self._done}/{self._total} {self._what}")
            sys.stderr.flush()

    def end(self) -> None:
        """Take the bar away."""
        if self._on:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._on = False
