"""The sheets of one run, side by side in a directory of its own: reading them all, and filing those of the dead.

    <base>/narthex-<uid>/<run>/owner          whose run it is; once that is gone, the directory may be
                              /alive          each process holds a shared lock on it
                              /filing         locked by who files
                              /leading        locked by who acts for all
                              /<pid>-<x>.names, .cells     a sheet, see `sheet`
                              /dead.json      what the sheets of the dead came to, and which they were

A sheet is filed in two steps: `dead.json` is replaced by one that holds it and names it, then it is removed. Killed in
between, the next to file finds it named there, and only removes it. A reader takes no lock: it reads `dead.json`, then
the sheets that are not named there, and begins again if `dead.json` was replaced meanwhile.
"""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import stat
import tempfile
import time
import weakref
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from narthex_plugins.metrics.company import Owner
from narthex_plugins.metrics.families import Family, Row, Totals
from narthex_plugins.metrics.sheet import CELLS, NAMES, read_sheet

_log = logging.getLogger("narthex.plugins.metrics")
_shelves: "weakref.WeakSet[Shelf]" = weakref.WeakSet()
_TRIES: Final = 20
_YOUNG: Final = 60.0
"""Seconds for which a file or directory that is not complete may still become so."""


def bases(chosen: Path | None) -> Iterator[Path]:
    """Where a run's directory may lie, the best first: in memory, where no write ever waits for a disk."""
    if chosen is not None:
        yield chosen
        return
    yield Path("/dev/shm")  # noqa: S108  what lies there belongs to us alone, see `_own`
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        yield Path(runtime)
    yield Path(tempfile.gettempdir())


def find(chosen: Path | None, owner: Owner, what: str) -> "tuple[Shelf | None, list[str]]":
    """The shelf of a run in the first place where one can be, opened; or None, and why at each place there cannot."""
    errors: list[str] = []
    for base in bases(chosen):
        shelf = Shelf(base, owner, what)
        try:
            shelf.open()
            shelf.rows()  # files what a worker before this one has left, also where nobody ever scrapes
        except OSError as error:
            errors.append(str(error))
            shelf.close()
            continue
        return shelf, []
    return None, errors


class Shelf:
    """The directory of a run, as one process has it open.

    Args:
        base: a directory that exists.
        owner: whose run it is.
        what: tells houses of one run apart.

    Attributes:
        directory: where the sheets lie.
        lost: it was found to be gone.
    """

    def __init__(self, base: Path, owner: Owner, what: str) -> None:
        name = hashlib.sha256(f"{owner.pid} {owner.born} {what}".encode()).hexdigest()[:24]
        self._home = base / f"narthex-{os.geteuid()}"
        self._owner = owner
        self.directory = self._home / name
        self.lost = False
        self._alive = self._leading = -1
        _shelves.add(self)

    def open(self) -> None:
        """Make it, take part in it, and clear away runs that are over.

        Raises:
            OSError: it cannot be made, or somebody else could write in it.
        """
        _own(self._home)
        _own(self.directory)
        _write(self.directory / "owner", f"{self._owner.pid} {self._owner.born}".encode())
        self._alive = _lock_file(self.directory / "alive")
        fcntl.flock(self._alive, fcntl.LOCK_SH)
        for other in self._home.iterdir():
            if other != self.directory:
                _clear(other)

    def close(self) -> None:
        """Take no part any more. The last of a run whose owner is this very process takes the directory away."""
        file, self._alive = self._alive, -1
        leading, self._leading = self._leading, -1
        if leading >= 0:
            os.close(leading)
        if file < 0:
            return
        own = self._owner.pid == os.getpid()
        with suppress(OSError):
            if own:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(self.directory, ignore_errors=True)
        os.close(file)

    def lead(self) -> bool:
        """Whether this process is the one of its run that acts for all: the first to ask, until it has ended."""
        if self._leading < 0 <= self._alive:
            try:
                self._leading = _locked(self.directory / "leading")
            except OSError:
                return False
        return self._leading >= 0

    def forked(self) -> None:
        """In a child: give up its copies of the locks, which would outlive the parent's."""
        for file in (self._alive, self._leading):
            if file >= 0:
                os.close(file)
        self._alive = self._leading = -1

    def rows(self, own: Collection[str] = ()) -> list[Row]:
        """The values of every process but our own, dead ones included; dead ones are filed on the way.

        Args:
            own: names of sheets that are not to be read.

        Raises:
            OSError: they could not be read.
        """
        if not self.directory.is_dir():
            if not self.lost:
                _log.warning("%s was taken away: each worker counts for itself until a restart", self.directory)
            self.lost = True
            return []
        with self._filing() as may_file:
            for _ in range(_TRIES):
                dead = _Dead(self.directory / "dead.json")
                try:
                    rows, died = self._read(dead, own)
                except FileNotFoundError:  # filed a moment ago
                    continue
                if dead.is_current():
                    break
            else:
                raise OSError("the workers' counters changed hands too often to be read")
            if died and may_file:
                with suppress(OSError):  # no room: they stay where they are, and count all the same
                    dead.replace(died)
                    self._remove(died)
        return [*dead.rows, *(row for sheet in died.values() for row in sheet), *rows]

    def _read(self, dead: "_Dead", own: Collection[str]) -> tuple[list[Row], dict[str, list[Row]]]:
        """The rows of the living, and those of each of the dead that is not filed yet."""
        rows: list[Row] = []
        died: dict[str, list[Row]] = {}
        for names in self.directory.glob(f"*{NAMES}"):
            name = names.stem
            if name in dead.names:
                died[name] = []  # filed, but not removed
            elif name not in own:
                gone = _is_dead(names)
                sheet = read_sheet(names, dead=gone)
                if gone:
                    died[name] = sheet
                else:
                    rows += sheet
        return rows, died

    def _remove(self, names: Collection[str]) -> None:
        for name in names:
            for suffix in (CELLS, NAMES):  # the names last: without them nobody would look again
                (self.directory / f"{name}{suffix}").unlink(missing_ok=True)
        for hidden in self.directory.glob(".*"):
            with suppress(OSError):
                if time.time() - hidden.stat().st_mtime > _YOUNG and _is_dead(hidden):
                    hidden.unlink()
                    (self.directory / f"{hidden.name[1:]}{CELLS}").unlink(missing_ok=True)

    @contextmanager
    def _filing(self) -> Generator[bool]:
        """Whether we are the one that files; who is not does without, and nobody waits."""
        try:
            file = _locked(self.directory / "filing")
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            os.close(file)


def _in_child() -> None:
    for shelf in tuple(_shelves):
        shelf.forked()


os.register_at_fork(after_in_child=_in_child)


class _Dead:
    """`dead.json` as it was when it was read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names: frozenset[str] = frozenset()
        self.rows: list[Row] = []
        self._version = (0, 0)
        with suppress(FileNotFoundError), path.open("rb") as file:
            self._version = _version(os.fstat(file.fileno()))
            document: dict[str, Any] = json.load(file)
            self.names = frozenset(document["names"])
            families = [Family.read(one) for one in document["families"]]
            self.rows = [Row(families[number], tuple(labels), values) for number, labels, values in document["rows"]]

    def is_current(self) -> bool:
        """Whether it has not been replaced since."""
        try:
            return _version(self._path.stat()) == self._version
        except FileNotFoundError:
            return self._version == (0, 0)

    def replace(self, died: dict[str, list[Row]]) -> None:
        """Write the one that holds these too."""
        totals = Totals([*self.rows, *(row for rows in died.values() for row in rows)])
        families = list(totals.families.values())
        numbers = {family.name: number for number, family in enumerate(families)}
        rows = [[numbers[row.family.name], row.labels, list(row.values)] for row in totals.rows()]
        # Only those that still lie there need to be told apart: the list does not grow.
        document = {"names": list(died), "families": [one.document() for one in families], "rows": rows}
        _write(self._path, json.dumps(document).encode())


def _version(found: os.stat_result) -> tuple[int, int]:
    return found.st_ino, found.st_mtime_ns


def _is_dead(names: Path) -> bool:
    """Whether nobody holds the lock. A shared one is tried: two who look do not take each other for the owner.

    Raises:
        FileNotFoundError: it is not there any more.
    """
    file = os.open(names, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


def _own(directory: Path) -> None:
    """Make a directory that is ours alone.

    Raises:
        OSError: it is somebody else's, or not a directory: in a place that all may write to, names can be taken.
    """
    with suppress(FileExistsError):
        directory.mkdir(0o700)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"{directory} is not a directory of this user alone")


def _write(path: Path, content: bytes) -> None:
    """Replace a file as a whole."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        new.write_bytes(content)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _lock_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _locked(path: Path) -> int:
    """The file, with a lock of our own on it.

    Raises:
        OSError: somebody else has it, or there is none.
    """
    file = _lock_file(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def _clear(run: Path) -> None:
    """Take away the directory of a run whose owner is gone and that nobody is in."""
    with suppress(OSError, ValueError):
        try:
            pid, _, birth = (run / "owner").read_text().partition(" ")
            gone = not Owner(int(pid), birth).lives
        except FileNotFoundError:
            gone = time.time() - run.stat().st_mtime > _YOUNG
        if gone:
            file = _locked(run / "alive")
            try:
                shutil.rmtree(run)
            finally:
                os.close(file)
