"""Where lines go: a file descriptor, and how whole lines are written to it.

Lines of several processes meet in one pipe or file. POSIX keeps a write to a pipe in one piece up to PIPE_BUF bytes,
so lines go there in such pieces (a longer line may be torn where several workers share a pipe); a file opened with
O_APPEND takes each write whole.
"""

import errno
import os
import select
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

Target = Literal["stdout", "stderr"] | Path

_DESCRIPTORS: Final = {"stdout": 1, "stderr": 2}
_PIECE = 65_536
_LOOK = 1.0  # seconds between two looks whether the file was rotated away


class Output:
    """Standard output, standard error, or a file that may be rotated under us. Used by one thread at a time."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._fd: int | None = None
        self._piece = _PIECE
        self._torn = False
        self._looked = 0.0
        self.give_up_at: float | None = None
        """`time.monotonic()` after which a reader that takes nothing is no longer waited for; None waits."""

    def open(self) -> None:
        """Open it.

        Raises:
            OSError: the file cannot be written, or the stream was closed before we came: by now its number may
                belong to some socket, into which no line must go.
        """
        if isinstance(self._target, Path):
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._fd = os.open(self._target, flags, 0o640)
        elif getattr(sys, f"__{self._target}__") is None:
            raise OSError(errno.EBADF, "it was closed before this process began")
        else:
            self._fd = _DESCRIPTORS[self._target]
        self._piece = select.PIPE_BUF if stat.S_ISFIFO(os.fstat(self._fd).st_mode) else _PIECE

    def close(self) -> None:
        """Close the file; the standard streams are not ours to close."""
        if isinstance(self._target, Path) and self._fd is not None:
            os.close(self._fd)
        self._fd = None

    def write(self, lines: Sequence[bytes]) -> int:
        """Write the lines; return how many left whole.

        Never raises: a full disk or a reader that has gone ends the attempt, the next call tries again. Waits for a
        reader that is slow, until `give_up_at`.
        """
        try:
            self._follow()
        except OSError:
            return 0
        written = 0
        for count, piece in self._pieces(lines):
            if not self._write(piece):
                break
            written += count
        return written

    def _pieces(self, lines: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """Whole lines joined, up to the size that stays in one piece."""
        gathered: list[bytes] = []
        size = 0
        for line in lines:
            if gathered and size + len(line) > self._piece:
                yield len(gathered), b"".join(gathered)
                gathered, size = [], 0
            gathered.append(line)
            size += len(line)
        if gathered:
            yield len(gathered), b"".join(gathered)

    def _write(self, piece: bytes) -> bool:
        fd = self._fd
        if fd is None:
            return False
        # What an earlier attempt left torn gets its newline, so that it spoils no second line.
        rest = memoryview(b"\n" + piece if self._torn else piece)
        while rest:
            try:
                count = os.write(fd, rest)
            except BlockingIOError:
                if not self._wait(fd):
                    return False
                continue
            except OSError:
                return False
            rest = rest[count:]
            self._torn = bool(rest)
        return True

    def _wait(self, fd: int) -> bool:
        """Wait until a non-blocking descriptor takes more; False when that took too long."""
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        while self.give_up_at is None or time.monotonic() < self.give_up_at:
            if poll.poll(100):
                return True
        return False

    def _follow(self) -> None:
        """Open the file anew where it was renamed or removed (logrotate), or was closed."""
        if self._fd is None:
            self.open()
        elif isinstance(self._target, Path) and time.monotonic() - self._looked > _LOOK:
            self._looked = time.monotonic()
            if not _same_file(self._target, self._fd):
                self.close()
                self.open()


def _same_file(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))  # noqa: PTH116  no Path on the way to a stat
    except FileNotFoundError:
        return False
