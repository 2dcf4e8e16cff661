"""Passwords that were in a breach, in a file of the operator's; nothing is asked of anybody else.

Two kinds of file will do. One of SHA-1 hashes in hex, ordered, one a line, with `:count` behind it or not, is what the
downloader of Pwned Passwords writes: it is searched where it lies, whatever its size, in some forty reads. Any other is
passwords in UTF-8, one a line, held in memory.
"""

import hashlib
import re
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from narthex.errors import ConfigError, DependencyError
from narthex_plugins.auth.passwords import normal

_HASHED: Final = re.compile(rb"[0-9A-Fa-f]{40}(?::[0-9]+)?\s*\Z")
_HEX: Final = 40
_LINE: Final = 256
"""Bytes that are read of a line at most; a line of hash and count has fewer."""
_MOST: Final = 64 * 1024 * 1024
"""Bytes of a file that is held in memory."""
_SAMPLES: Final = 64


class Breaches(Protocol):
    """What is known of breaches."""

    def holds(self, password: str) -> bool:
        """Whether the password was in one. May read a disk.

        Raises:
            DependencyError: it cannot be said now.
        """
        ...


class HashedFile:
    """A file of ordered SHA-1 hashes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """See that it is in order, as far as some lines of it say.

        Raises:
            OSError: it cannot be read.
            ValueError: it is not in order, or holds something else too.
        """
        with self._path.open("rb") as file:
            size = file.seek(0, 2)
            before = b""
            for number in range(_SAMPLES):
                line = _line_from(file, size * number // _SAMPLES)
                if line and not _HASHED.match(line):
                    raise ValueError("some lines of it are SHA-1 hashes and others are not")
                if line and line[:_HEX].upper() < before:
                    raise ValueError("its hashes are not in order; take the file that is ordered by hash")
                before = line[:_HEX].upper() or before

    def holds(self, password: str) -> bool:
        """Look for it. Cost: two reads of a line for each halving, some forty of a file of 40 GB."""
        secret = normal(password)
        spellings = {password.encode("utf-8", "surrogatepass"), secret or b""}
        try:
            with self._path.open("rb") as file:
                return any(_stands_in(file, _sha1(one)) for one in spellings if one)
        except OSError as error:
            raise DependencyError(f"the file of breached passwords cannot be read: {error.strerror}") from error


class PlainFile:
    """A file of passwords, in memory; case does not count."""

    def __init__(self, path: Path) -> None:
        if path.stat().st_size > _MOST:
            raise ValueError(f"a list of passwords has at most {_MOST // 1024**2} MiB; a file of hashes may have more")
        self._known = frozenset(line.casefold() for line in path.read_text("utf-8").splitlines() if line)

    def holds(self, password: str) -> bool:
        """Look for it. Cost: a look-up."""
        secret = normal(password)
        return password.casefold() in self._known or (secret or b"").decode().casefold() in self._known


def open_breaches(path: Path) -> Breaches:
    """Open such a file. Reads all of it, or some lines: off the event loop.

    Raises:
        ConfigError: it cannot be read, or is neither.
    """
    try:
        with path.open("rb") as file:
            first = file.readline(_LINE)
        if not _HASHED.match(first):
            return PlainFile(path)
        hashed = HashedFile(path)
        hashed.check()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"passwords.breached: {path} cannot be used: {why}") from None
    return hashed


def _sha1(secret: bytes) -> bytes:
    return hashlib.sha1(secret, usedforsecurity=False).hexdigest().upper().encode()


def _line_from(file: BinaryIO, place: int) -> bytes:
    """The first line that begins at this place or behind it."""
    if place:
        file.seek(place - 1)
        file.readline(_LINE)
    else:
        file.seek(0)
    return file.readline(_LINE)


def _stands_in(file: BinaryIO, wanted: bytes) -> bool:
    low, high = 0, file.seek(0, 2)
    while low < high:
        middle = (low + high) // 2
        line = _line_from(file, middle)
        found = line[:_HEX].upper()
        if found == wanted:
            return True
        if line and found < wanted:
            low = file.tell()
        else:
            high = middle
    return False
