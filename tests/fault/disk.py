"""What a disk holds after a power cut, replayed from the system calls of a run.

The model is the strictest that POSIX allows. Bytes are safe when the file was synced after they were written; until
then any 512-byte sector of any write may be on the disk or not, in any order. A name is safe when its directory was
synced; until then files may have no name, and what was removed may be back. A sync that fails makes its bytes safe
never: Linux reports the error once and forgets that the pages were dirty.

What programs share in memory (-shm) is filled with garbage: nothing of it survives.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.fault.syscalls import Call

SECTOR = 512
_KEPT = ("", "-wal", "-journal")
"""Of the store's files, those that hold anything."""


@dataclass(slots=True)
class Content:
    """A file's bytes: those on the disk, and what was done since. A change is (offset, bytes), or (length, None)."""

    safe: bytearray = field(default_factory=bytearray)
    changes: list[tuple[int, bytes | None]] = field(default_factory=list)
    syncing: int = 0
    forgotten: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        """What was there when the sync began is safe."""
        for change in self.changes[: self.syncing]:
            _apply(self.safe, *change)
        del self.changes[: self.syncing]

    def forget(self) -> None:
        """A sync failed: what should have become safe is in memory only, and no later sync will write it."""
        self.forgotten += self.changes[: self.syncing]
        del self.changes[: self.syncing]

    def whole(self) -> bytearray:
        """As a program that reads it sees it."""
        seen = bytearray(self.safe)
        for change in (*self.forgotten, *self.changes):
            _apply(seen, *change)
        return seen

    def torn(self, dice: random.Random) -> bytearray:
        """One of the states that a power cut may leave."""
        left = bytearray(self.safe)
        for offset, data in self.changes:
            if data is None:
                if dice.random() < 0.5:
                    _apply(left, offset, None)
                continue
            for start in range(0, len(data), SECTOR):
                if dice.random() < 0.5:
                    _apply(left, offset + start, data[start : start + SECTOR])
        return left


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


class Disk:
    """The database's files through a run.

    Args:
        database: its path.
        before: what lay there safely when the run began: name to bytes.
    """

    def __init__(self, database: Path, before: dict[Path, bytes]) -> None:
        self._directory = database.parent
        self._kept = [database.with_name(f"{database.name}{name}") for name in _KEPT]
        self._shared = database.with_name(f"{database.name}-shm")
        self.names = {path: Content(bytearray(data)) for path, data in before.items() if path in self._kept}
        self._safe_names = dict(self.names)
        self._name_changes: list[tuple[Path, Content | None]] = []
        self._syncing = 0

    def feel(self, call: Call) -> bool:
        """Follow one call; whether it changed what is or will be on the disk."""
        if call.file == self._directory and call.name in ("fsync", "fdatasync"):
            self._sync_names(call)
            return True
        if call.file not in self._kept:
            return False
        if call.name in ("fsync", "fdatasync"):
            self._sync(self.names[call.file], call)
        elif not call.ended or call.failed:
            return False
        elif call.name in ("pwrite64", "ftruncate"):
            data = call.data if call.name == "pwrite64" else None
            self.names[call.file].changes.append((call.offset, data))
        elif call.name == "openat" and call.file not in self.names:
            self._name(call.file, Content())
        elif call.name == "unlink":
            self._name(call.file, None)
        else:
            return False
        return True

    def _sync(self, content: Content, call: Call) -> None:
        if call.began:
            content.syncing = len(content.changes)
        if call.ended:
            content.forget() if call.failed else content.sync()

    def _sync_names(self, call: Call) -> None:
        if call.began:
            self._syncing = len(self._name_changes)
        if call.ended and not call.failed:
            for path, content in self._name_changes[: self._syncing]:
                _rename(self._safe_names, path, content)
            del self._name_changes[: self._syncing]

    def _name(self, path: Path, content: Content | None) -> None:
        self._name_changes.append((path, content))
        _rename(self.names, path, content)

    def whole(self) -> dict[str, bytes]:
        """The files as programs see them: what is left where only the process dies."""
        return {path.name: bytes(content.whole()) for path, content in self.names.items()}

    def least(self) -> dict[str, bytes]:
        """What is left of a power cut where only what was synced is there."""
        return {path.name: bytes(content.safe) for path, content in self._safe_names.items()}

    def torn(self, dice: random.Random) -> dict[str, bytes]:
        """What may be left of a power cut: some sectors, some names."""
        names = dict(self._safe_names)
        for path, content in self._name_changes[: dice.randint(0, len(self._name_changes))]:
            _rename(names, path, content)
        garbage = dice.randbytes(32768)
        return {path.name: bytes(content.torn(dice)) for path, content in names.items()} | {self._shared.name: garbage}


def _rename(names: dict[Path, Content], path: Path, content: Content | None) -> None:
    if content is None:
        names.pop(path, None)
    else:
        names[path] = content


def lay_out(files: dict[str, bytes], directory: Path) -> None:
    """Write them into a new directory."""
    directory.mkdir(parents=True)
    for name, data in files.items():
        (directory / name).write_bytes(data)


def safe_before(directory: Path | None, at: Path) -> dict[Path, bytes]:
    """The files of a directory, as they lie in its copy `at`; nothing for None."""
    return {} if directory is None else {at / file.name: file.read_bytes() for file in directory.iterdir()}


def told(some: Iterable[Call]) -> Sequence[tuple[int, str]]:
    """Lines told down the pipe, with the place in the sequence where the call begins."""
    return [
        (at, call.data.decode())
        for at, call in enumerate(some)
        if call.name == "write" and call.file is None and call.began and call.data.endswith(b"\n")
    ]
