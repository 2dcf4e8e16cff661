"""A bounded queue of lines and the one thread that writes them out.

A request puts its line into the queue, which costs about 0.1 µs, and goes on; no request ever waits for a disk, a
pipe or a terminal. The thread wakes at the first line, gathers what comes in the next moment, and writes all of it
at once. When too many lines or bytes wait, lines are dropped and counted, and a later line says how many.

`queue.SimpleQueue` is the queue because its `put` is reentrant: a signal handler or a destructor may log in the
middle of another `put`.

Where no thread runs (before `start`, after `stop`, in a forked child) a line is written at once by who puts it.
"""

import atexit
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Final
from weakref import WeakSet

from narthex_plugins.logging.output import Output

GATHER: Final = 0.01
"""Seconds the thread waits after waking, so that a busy server wakes it a hundred times a second at most."""
MOST_BYTES: Final = 16 * 2**20
"""Bytes of lines that may wait, those on their way out included: a line can be 64 KiB, and a stranger makes it so."""
PATIENCE: Final = 2.0
"""Seconds that `stop` waits for a reader that takes nothing."""


class Sink:
    """Takes lines, each with its newline, and sees to it that they are written.

    Attributes:
        dropped: lines lost so far, because the queue was full or the output took none.
        failing: whether the last attempt to write lost something.
    """

    def __init__(
        self, output: Output, limit: int, report: Callable[[int], bytes], on_drop: Callable[[int], None]
    ) -> None:
        """Make it, without a thread or an open file yet.

        Args:
            output: where the lines go.
            limit: most lines that wait, if they are no more than `MOST_BYTES`.
            report: gives the line that says how many were dropped.
            on_drop: told how many, each time; for a counter.
        """
        self._output = output
        self._limit = limit
        self._report = report
        self._on_drop = on_drop
        self._queue: SimpleQueue[bytes | None] | None = None
        self._thread: threading.Thread | None = None
        # Counted without a lock: two threads that add at the same moment may lose one line's length, which is made
        # good when the queue runs empty.
        self._bytes = 0
        # Reentrant for the same reason as the queue; taken only when a line is lost or written without the thread.
        self._lock = threading.RLock()
        self._unreported = 0
        self._held_up = False
        self.dropped = 0
        self.failing = False

    def __len__(self) -> int:
        """Lines that wait to be written."""
        queue = self._queue
        return 0 if queue is None else queue.qsize()

    def start(self, name: str) -> None:
        """Open the output and begin.

        Raises:
            OSError: the output cannot be opened.
        """
        self._output.open()
        self._output.give_up_at = None
        self._bytes = 0
        queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(queue,), name=f"narthex-{name}", daemon=True)
        self._thread.start()
        self._queue = queue
        _running.add(self)
        atexit.register(self.stop)

    def put(self, line: bytes) -> None:
        """Take a line. Never blocks while the thread runs, never raises."""
        queue = self._queue
        if queue is None:
            self._write_now(line)
        elif queue.qsize() < self._limit and self._bytes < MOST_BYTES:
            self._bytes += len(line)
            queue.put(line)
        else:
            self._lose(1)

    def stop(self) -> None:
        """Write what waits, for `PATIENCE` seconds at most, and let go of the output. Also called at exit."""
        queue, self._queue = self._queue, None
        thread, self._thread = self._thread, None
        atexit.unregister(self.stop)
        _running.discard(self)
        if queue is None or thread is None:
            return
        self._output.give_up_at = time.monotonic() + PATIENCE
        queue.put(None)
        thread.join(PATIENCE + 0.5)
        self._held_up = thread.is_alive()
        if self._held_up:  # in a write that a reader holds up; the thread ends with the process
            self._lose(queue.qsize())
            return
        self._flush([line for line in _waiting(queue) if line is not None])
        self._output.close()

    def _run(self, queue: "SimpleQueue[bytes | None]") -> None:
        while True:
            batch = [queue.get()]
            if batch[0] is not None:
                time.sleep(GATHER)
            batch += _waiting(queue)
            lines = [line for line in batch if line is not None]
            self._flush(lines)
            self._bytes = self._bytes - sum(map(len, lines)) if queue.qsize() else 0
            if None in batch:
                return

    def _flush(self, lines: Sequence[bytes]) -> None:
        """Write the lines, and before them how many were dropped since the last time."""
        with self._lock:
            unreported, self._unreported = self._unreported, 0
        if not lines and not unreported:
            return
        if unreported and not self._output.write([self._report(unreported)]):
            with self._lock:
                self._unreported += unreported
        if lines:
            lost = len(lines) - self._output.write(lines)
            self.failing = lost > 0
            self._lose(lost)

    def _lose(self, count: int) -> None:
        if count:
            with self._lock:
                self.dropped += count
                self._unreported += count
            with suppress(Exception):  # whatever a metrics plugin does, the thread lives on
                self._on_drop(count)

    def _write_now(self, line: bytes) -> None:
        if self._held_up:
            self._lose(1)
            return
        with self._lock:
            self._output.give_up_at = time.monotonic() + PATIENCE
            self._flush([line])
            self._output.close()

    def forked(self) -> None:
        """Go on in a forked child: the thread, and the lines that waited, stayed with the parent."""
        self._queue = self._thread = None
        self._lock = threading.RLock()


def _waiting(queue: "SimpleQueue[bytes | None]") -> list[bytes | None]:
    """Take what is in the queue now; for its only reader."""
    return [queue.get_nowait() for _ in range(queue.qsize())]


_running: "WeakSet[Sink]" = WeakSet()


def _forked() -> None:
    for sink in tuple(_running):
        sink.forked()


os.register_at_fork(after_in_child=_forked)
