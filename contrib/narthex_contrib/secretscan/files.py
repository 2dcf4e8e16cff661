# ruff: noqa: PTH112, PTH114, PTH117, PTH118, PTH123
# names may be any bytes, and there may be many of them: os.path, not Path
"""Which files are looked at, and what is in them."""

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from narthex.errors import ConfigError

_SNIFFED: Final = 8000  # bytes, as git looks at
_MARKS: Final = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# What programs make and fetch; only where git does not say what belongs to a directory.
_SKIPPED: Final = frozenset(
    {".git", ".hg", ".svn", ".venv", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache", ".tox", ".nox"}
)


class Skipped(StrEnum):
    """Why a file was not looked at."""

    BINARY = "binary"
    LARGE = "too large"
    SPECIAL = "no regular file"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Item:
    """A file to be looked at: where it is, and what it is called in findings."""

    path: str
    name: str


def listed(paths: list[Path], exclude: list[str]) -> list[Item]:
    """The files that are named, and those in the directories that are; each once, in order.

    In a git work tree those that git tracks or would track, and those of submodules; elsewhere all but what tools keep
    to themselves. Symbolic links are not followed, but for one that is named itself.

    Raises:
        ConfigError: there is no such path.
    """
    excluded = matcher(exclude)
    items: dict[str, Item] = {}
    for path in paths:
        if path.is_dir():
            found: Iterator[Item] = _in_directory(str(path), set())
        elif os.path.lexists(path):
            found = iter([Item(os.path.realpath(path), _shown(str(path)))])
        else:
            raise ConfigError("there is no such file or directory", where=str(path))
        for item in found:
            if not excluded(item.name):
                items.setdefault(item.path, item)
    return list(items.values())


def _in_directory(directory: str, seen: set[str]) -> Iterator[Item]:
    real = os.path.realpath(directory)
    if real in seen:
        return
    seen.add(real)
    names = _tracked(directory)
    if names is None:
        yield from _walked(directory)
        return
    for name in names:
        path = os.path.join(directory, name) if directory != "." else name
        if os.path.isdir(path) and not os.path.islink(path):
            yield from _in_directory(path, seen)  # a submodule
        elif os.path.lexists(path):
            yield Item(path, _shown(path))


def _tracked(directory: str) -> list[str] | None:
    """What git knows in a directory, or would take up; None where it is not git's, or git ignores it."""
    try:
        asked = ["git", "-C", directory, "check-ignore", "-q", "."]
        ignored = subprocess.run(asked, capture_output=True, check=False)  # noqa: S603
        if ignored.returncode == 0:
            return None
        command = [
            "git",
            "-C",
            directory,
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "--deduplicate",
        ]
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    except OSError:
        return None
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name] if done.returncode == 0 else None


def _walked(directory: str) -> Iterator[Item]:
    for place, directories, names in os.walk(directory):
        directories[:] = sorted(name for name in directories if name not in _SKIPPED)
        for name in sorted(names):
            path = os.path.normpath(os.path.join(place, name))
            yield Item(path, _shown(path))


def _shown(path: str) -> str:
    """A path as findings name it: with `/`, relative to here where it is below, printable."""
    if os.path.isabs(path):
        inside = os.path.relpath(path)
        path = path if inside.startswith("..") else inside
    return Path(os.path.normpath(path)).as_posix()


def printable(name: str) -> str:
    """A name without what would move the cursor or break the line, and without bytes that are no text."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in name)


def matcher(patterns: list[str]) -> "_Matcher":
    """Tells whether a path fits one of the patterns: `*` within a name, `**` over directories, `dir/` all of it."""
    return _Matcher(re.compile("|".join(map(_translated, patterns))) if patterns else None)


class _Matcher:
    def __init__(self, pattern: re.Pattern[str] | None) -> None:
        self._pattern = pattern

    def __call__(self, path: str) -> bool:
        return self._pattern is not None and self._pattern.fullmatch(path.removeprefix("./")) is not None


_WILD: Final = {"**/": "(?:[^/]*/)*", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _translated(pattern: str) -> str:
    anchored = "/" in pattern.rstrip("/")
    parts: list[str] = [] if anchored else ["(?:[^/]*/)*"]
    told = pattern if pattern == "**" else pattern.removeprefix("/").rstrip("/")
    parts += [_WILD.get(piece, re.escape(piece)) for piece in re.split(r"(\*\*/|/\*\*$|\*\*|\*|\?)", told)]
    return "".join(parts) + "(?:/.*)?"


def read(path: str, limit: int) -> bytes | Skipped:
    """The bytes of a regular file, whatever is done to it meanwhile; never waits for a pipe or a device."""
    try:
        descriptor = os.open(
            path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
    except OSError:
        try:
            special = not stat.S_ISREG(os.lstat(path).st_mode)
        except OSError:
            special = False
        return Skipped.SPECIAL if special else Skipped.UNREADABLE
    try:
        with open(descriptor, "rb") as file:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                return Skipped.SPECIAL
            if about.st_size > limit:
                return Skipped.LARGE
            data = file.read(limit + 1)
    except OSError:
        return Skipped.UNREADABLE
    return Skipped.LARGE if len(data) > limit else data


def decoded(data: bytes) -> str | Skipped:
    """The text; bytes that are no UTF-8 become U+FFFD. Binary is what has a NUL in its beginning, as git sees it."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if b"\0" in data[:_SNIFFED]:
        return Skipped.BINARY
    return data.decode("utf-8", "replace")
