"""Where one process keeps its values: memory that outlives it.

Counting must cost no more than adding to a number in memory, and what was counted must not be gone when the process is
killed. So the numbers lie in a file that is mapped into memory: the kernel has them whatever becomes of the process.
One process writes a sheet, with aligned stores of eight bytes; all others only read it, so no number is ever torn or
lost to a race. Beside the numbers lies a file of names, one JSON array a line, that says which number is what. The
process holds a lock on it for as long as it lives; who can take that lock knows that it is dead.

Where no file can be had (a full disk, a directory that is read-only), new numbers are kept in the process's own memory.
"""

import fcntl
import json
import mmap
import os
import secrets
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from narthex_plugins.metrics.families import Exemplar, Family, Labels, Row

CHUNK: Final = 64 * 1024
"""Bytes by which a sheet grows."""
NAMES: Final = ".names"
CELLS: Final = ".cells"
EXAMPLE: Final = struct.Struct("=ddd16s")
"""An exemplar: a number that is odd while it is being written, value, seconds since the epoch, trace id."""
Cells: TypeAlias = "memoryview[float]"
EXAMPLE_WORDS: Final = EXAMPLE.size // 8


class Chunk:
    """A piece of a sheet.

    Attributes:
        cells: as numbers. `cells[at] += x` is one step under the interpreter's lock, since nothing in it calls back.
        raw: the same as bytes.
    """

    __slots__ = ("cells", "raw")

    def __init__(self, memory: mmap.mmap | bytearray) -> None:
        self.raw = memoryview(memory)
        self.cells: Cells = self.raw.cast("d")


class Sheet:
    """The numbers of this process; no file is made before the first is asked for.

    Args:
        directory: where its files go; None for memory of its own.
        failed: told once, when no file could be had or be enlarged.
    """

    def __init__(self, directory: Path | None, failed: Callable[[OSError], None]) -> None:
        self.name = f"{os.getpid()}-{secrets.token_hex(6)}"
        self._directory = directory
        self._failed = failed
        self._lock = threading.Lock()
        self._names = self._cells = -1
        self._size = 0
        self._chunk: Chunk | None = None
        self._start = 0  # where the chunk lies in the file, in numbers; -1 for memory of our own
        self._used = 0
        self._families: dict[str, int] = {}

    def take(self, words: int) -> tuple[Chunk, int, int]:
        """Numbers that nobody has, all 0: their chunk, where in it, and where in the sheet (-1 where in no file)."""
        with self._lock:
            if self._chunk is None or self._used + words > CHUNK // 8:
                self._chunk, self._start = self._grow()
                self._used = 0
            at, self._used = self._used, self._used + words
            return self._chunk, at, -1 if self._start < 0 else self._start + at

    def name_series(self, family: Family, labels: Labels, place: int, *, exemplars: bool = False) -> None:
        """Say which numbers those are."""
        if place < 0:
            return
        with self._lock:
            lines = b""
            if family.name not in self._families:
                self._families[family.name] = len(self._families)
                lines = _line("f", *family.document())
            number = self._families[family.name]
            lines += _line("x" if exemplars else "s", number, list(labels), place)
            try:
                if os.write(self._names, lines) < len(lines):
                    raise OSError(28, "no space left")  # noqa: TRY301  a short write is how it begins
            except OSError as error:
                self._give_up(error)

    def close(self) -> None:
        """Let others know that nothing more will come; in a forked child, leave the lock with its owner.

        The numbers stay for as long as somebody holds them.
        """
        self._directory = self._chunk = None
        for file in (self._names, self._cells):
            if file >= 0:
                with suppress(OSError):
                    os.close(file)
        self._names = self._cells = -1

    def _grow(self) -> tuple[Chunk, int]:
        if self._directory is not None:
            try:
                return self._enlarged(self._directory)
            except OSError as error:
                self._give_up(error)
        return Chunk(bytearray(CHUNK)), -1

    def _enlarged(self, directory: Path) -> tuple[Chunk, int]:
        if self._names < 0:
            self._create(directory)
        # Written, not left as a hole: memory behind which the disk turns out to be full kills who touches it.
        if os.pwrite(self._cells, bytes(CHUNK), self._size) < CHUNK:
            raise OSError(28, "no space left")
        memory = mmap.mmap(self._cells, CHUNK, offset=self._size)
        start, self._size = self._size // 8, self._size + CHUNK
        return Chunk(memory), start

    def _create(self, directory: Path) -> None:
        """Make the files. They get the name that others look for only once the lock is held."""
        hidden = directory / f".{self.name}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._names = os.open(hidden, flags | os.O_APPEND, 0o600)
        fcntl.flock(self._names, fcntl.LOCK_EX)
        self._cells = os.open(directory / f"{self.name}{CELLS}", flags, 0o600)
        hidden.rename(directory / f"{self.name}{NAMES}")

    def _give_up(self, error: OSError) -> None:
        """From here on numbers are kept in memory of our own; those that lie in the file go on there."""
        if self._directory is not None:
            self._directory = None
            self._chunk = None
            self._failed(error)


def _line(*parts: object) -> bytes:
    # Begun with a line end as well: what a full disk has cut off does not spoil what comes after it.
    return b"\n" + json.dumps(parts).encode() + b"\n"


def write_example(chunk: Chunk, at: int, one: Exemplar) -> None:
    """Put an exemplar where readers may be looking; its trace id is 32 hex digits."""
    trace = bytes.fromhex(one.trace_id)
    chunk.cells[at] += 1.0
    EXAMPLE.pack_into(chunk.raw, at * 8, chunk.cells[at], one.value, one.time, trace)
    chunk.cells[at] += 1.0


def read_example(raw: memoryview, at: int) -> Exemplar | None:
    """What lies there, or None where nothing does or it is being written."""
    before, value, time, trace = EXAMPLE.unpack_from(raw, at * 8)
    (after,) = struct.unpack_from("=d", raw, at * 8)
    if not before or before % 2 or before != after:
        return None
    return Exemplar(value, time, trace.hex())


def read_sheet(names: Path, *, dead: bool) -> list[Row]:
    """The rows of a sheet; of a dead process neither gauges nor exemplars.

    Raises:
        FileNotFoundError: it is not there any more.
    """
    lines = names.read_bytes().split(b"\n")
    with names.with_suffix(CELLS).open("rb") as file:
        size = os.fstat(file.fileno()).st_size // CHUNK * CHUNK
        if not size:
            return []
        memory = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    with memory, memoryview(memory) as raw, raw.cast("d") as cells:
        return list(_rows(lines, raw, cells, dead=dead))


def _rows(lines: list[bytes], raw: memoryview, cells: Cells, *, dead: bool) -> list[Row]:
    families: list[Family] = []
    found: dict[tuple[int, Labels], Row] = {}
    for line in lines:
        parts = _parsed(line)
        if not parts:
            continue
        if parts[0] == "f":
            families.append(Family.read(parts[1:]))
            continue
        number, labels, at = int(parts[1]), tuple(map(str, parts[2])), int(parts[3])
        family = families[number]
        if parts[0] == "s" and at + family.width <= len(cells) and not (dead and family.kind == "gauge"):
            found[number, labels] = Row(family, labels, cells[at : at + family.width].tolist())
        elif parts[0] == "x" and not dead and (row := found.get((number, labels))) is not None:
            found[number, labels] = row._replace(exemplars=examples(raw, at, family))
    return list(found.values())


def examples(raw: memoryview, at: int, family: Family) -> dict[int, Exemplar]:
    """The exemplars of a series, by bucket."""
    places = range(at, at + (family.width - 1) * EXAMPLE_WORDS, EXAMPLE_WORDS)
    if (places.stop - 1) * 8 >= len(raw):
        return {}
    read = ((bucket, read_example(raw, place)) for bucket, place in enumerate(places))
    return {bucket: one for bucket, one in read if one is not None}


def _parsed(line: bytes) -> list[Any]:
    with suppress(ValueError):
        return cast("list[Any]", json.loads(line))
    return []
