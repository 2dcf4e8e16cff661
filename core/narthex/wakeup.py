"""The byte by which a signal wakes the event loop, and so calls what `loop.add_signal_handler` was given.

Such a handler is in no table that could be chained: CPython writes the number of every signal that Python handles into
one descriptor (`signal.set_wakeup_fd`), and the loop reads it there. So ours goes in front of that one:

    signal --CPython--> our pipe --at once, or when let go--> the loop's descriptor --> its handler
"""

import asyncio
import os
import signal
from contextlib import suppress
from typing import Final

_FIRST_LOOK: Final = 0.05  # seconds; the next after twice as long, and so on
_LAST_LOOK: Final = 30.0

_ours: Final[set[int]] = set()
"""Where the pipes of this process, one for each house, are written to."""

_File = tuple[int, int, int]


class Wakeup:
    """Chained in front of the descriptor of the running loop. Only in the main thread, once.

    Everything passes through at once but what `keep` was told of. Where nobody listens for bytes nothing is touched,
    and the same where something comes after us that is no loop's: then signals are not kept, but heard as without us.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader, self._writer = -1, -1
        self._behind: _File | None = None
        self._due: list[int] = []
        self._kept = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    def take(self) -> None:
        """Begin."""
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        try:
            self._loop.add_reader(self._reader, self._read)
        except NotImplementedError:  # a loop that only knows sockets
            self._close()
            return
        _ours.add(self._writer)
        self._go_in_front()
        if self._behind is None:
            self._loop.remove_reader(self._reader)
            self._close()
        else:
            self._look(_FIRST_LOOK)

    def keep(self, number: int) -> None:
        """Keep back the byte that comes with a signal that has just come, until `let_go`."""
        if self._behind is not None:
            self._due.append(number)

    def let_go(self) -> None:
        """Let through what was kept back, in the order in which it came; keep nothing from now on."""
        self._due.clear()
        kept, self._kept = bytes(self._kept), bytearray()
        self._pass_on(kept)

    def restore(self) -> None:
        """End: put back what was there, unless somebody has come after us; then only pass bytes through."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writer == -1:
            return
        before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        if before == self._writer:
            behind = self._behind
            number = behind[0] if behind is not None and behind == _file(behind[0]) else -1
            _put_back(number)
            self._read()
            self._loop.remove_reader(self._reader)
            self._close()
        else:
            _put_back(before)

    def _look(self, delay: float) -> None:
        """Uvloop puts a descriptor of its own back each time it is run, and granian runs it again after start-up."""
        self._go_in_front()
        if delay < _LAST_LOOK:
            self._timer = self._loop.call_later(delay, self._look, 2 * delay)

    def _go_in_front(self) -> None:
        before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        if before == self._writer:
            if self._behind is not None:
                return
            before = -1  # whoever had the number before has closed it, and has not said so
        known = self._behind is None or before == self._behind[0]
        # Whoever chains to us must not be chained to, or a byte would go round for ever.
        behind = None if before == -1 or (before in _ours and not known) else _file(before)
        if behind is None:
            _put_back(before)
        else:
            self._behind = behind

    def _read(self) -> None:
        data = b""
        with suppress(BlockingIOError, InterruptedError):
            data = os.read(self._reader, 65536)
        at_once = bytearray()
        for number in data:
            if number in self._due:
                self._due.remove(number)
                self._kept.append(number)
            else:
                at_once.append(number)
        self._pass_on(bytes(at_once))

    def _pass_on(self, data: bytes) -> None:
        behind = self._behind
        # Looked at each time: after its owner has closed it the number may be that of anybody's connection.
        if data and behind is not None and behind == _file(behind[0]):
            with suppress(OSError):  # full, so that the loop wakes anyway
                os.write(behind[0], data)

    def _close(self) -> None:
        _ours.discard(self._writer)
        for end in (self._reader, self._writer):
            os.close(end)
        self._reader, self._writer = -1, -1


def _put_back(number: int) -> None:
    try:
        signal.set_wakeup_fd(number, warn_on_full_buffer=False)
    except (OSError, ValueError):  # its owner has closed it, and has not said so
        signal.set_wakeup_fd(-1)


def _file(number: int) -> _File | None:
    """What tells an open file from another that later has the same number."""
    try:
        stat = os.fstat(number)
    except OSError:
        return None
    return number, stat.st_dev, stat.st_ino
