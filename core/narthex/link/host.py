"""The link between processes of one host: a page of marks beside the database that all of them have in memory.

Looking whether something changed is a read of eight bytes of shared memory. A mark is a random number, not a count,
so that two processes may write it at once without a lock: whoever compares it sees that it is another one.
"""

import asyncio
import mmap
import os
import secrets
import struct
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final
from zlib import crc32

from narthex.link import Listener, Listeners, Unsubscribe

SLOTS: Final = 512
"""Marks on the page. Topics that fall on one slot only look once more than they need to."""
PERIOD: Final = 0.02
"""Seconds between two looks on behalf of listeners; whoever reads `mark` sees a change at once."""

_MARK: Final = struct.Struct("=Q")


class HostLink:
    """One page of a file, mapped by every process.

    Args:
        file: beside the database; created where it is not there.
    """

    def __init__(self, file: Path) -> None:
        self._listeners = Listeners()
        self._due: set[str] = set()
        self._watch: asyncio.Task[None] | None = None
        self._file = file
        self._page: mmap.mmap | None = None
        self._marks: memoryview[int] | None = None  # the page, as numbers
        self._name = ""

    def announce(self, connection: object, topic: str) -> None:  # noqa: ARG002  nothing to write
        """Tell when the transaction is committed."""
        self._due.add(topic)

    def committed(self) -> None:
        """Change the marks: after the commit, so that whoever looks finds what was written."""
        while self._due and self._page is not None:
            _MARK.pack_into(self._page, _slot(self._due.pop()) * _MARK.size, secrets.randbits(64))

    def mark(self, topic: str) -> int:
        """The topic's mark. Costs 0.1 µs."""
        marks = self._marks
        return 0 if marks is None else marks[_slot(topic)]

    def page(self) -> str:
        """The file that is mapped; another one in its place, after somebody took it away, is another page."""
        return self._name

    def subscribe(self, topic: str, listener: Listener) -> Unsubscribe:
        """Call `listener` within `PERIOD` of each change."""
        return self._listeners.subscribe(topic, listener)

    async def start(self) -> None:
        """Map the page, and begin to look.

        Raises:
            OSError: the file cannot be made or mapped.
        """
        self._page, self._name = _map(self._file)
        self._marks = memoryview(self._page).cast("Q")
        self._listeners.loop = asyncio.get_running_loop()
        self._watch = asyncio.create_task(self._look(), name="narthex link")

    async def stop(self) -> None:
        """Look no more."""
        watch, self._watch = self._watch, None
        self._listeners.loop = None
        if watch is not None:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
        page, self._page, self._name = self._page, None, ""
        marks, self._marks = self._marks, None
        if marks is not None:
            marks.release()
        if page is not None:
            page.close()

    async def _look(self) -> None:
        seen = {topic: self.mark(topic) for topic in self._listeners.topics()}
        while True:
            await asyncio.sleep(PERIOD)
            for topic in self._listeners.topics():
                mark = self.mark(topic)
                if seen.get(topic) != mark:
                    seen[topic] = mark
                    self._listeners.call(topic)


def _map(file: Path) -> tuple[mmap.mmap, str]:
    """The page, and what it is called as long as anybody has it mapped."""
    size = SLOTS * _MARK.size
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Its blocks are taken now: a mark on a page that the disk has no room for would kill the process.
        os.posix_fallocate(descriptor, 0, size)
        status = os.fstat(descriptor)
        return mmap.mmap(descriptor, size), f"file {status.st_dev}:{status.st_ino}"
    finally:
        os.close(descriptor)


@lru_cache(maxsize=SLOTS)
def _slot(topic: str) -> int:
    return crc32(topic.encode()) % SLOTS
