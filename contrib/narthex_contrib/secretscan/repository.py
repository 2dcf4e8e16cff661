"""What git keeps: the index, and every version of every file. All of it by the command `git`."""

import os
import re
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from narthex.errors import ConfigError

_ZERO: Final = re.compile(r"0+")
_OBJECT: Final = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64})(?: (.*))?", re.DOTALL)
_REGULAR: Final = ("100644", "100755", "100664")


@dataclass(frozen=True, slots=True)
class Blob:
    """A version of a file: its object, a path that it has or had, and the one it took the place of, if any."""

    id: str
    path: str
    before: str = ""


def top(directory: Path) -> Path:
    """The top of the work tree, or a bare repository's own directory.

    Raises:
        ConfigError: there is none, or no git.
    """
    try:
        done = _git(directory, "rev-parse", "--show-toplevel")
    except ConfigError:
        done = _git(directory, "rev-parse", "--absolute-git-dir")
    return Path(os.fsdecode(done.rstrip(b"\n")))


def _git(directory: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(directory), *arguments], capture_output=True, check=False)  # noqa: S603, S607
    except OSError as error:
        raise ConfigError(f"git cannot be run: {error.strerror}", where=str(directory)) from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no word of it"]
        raise ConfigError(f"git {arguments[0]}: {said[0].removeprefix('fatal: ')}", where=str(directory))
    return done.stdout


def staged(directory: Path) -> list[Blob]:
    """What the next commit would bring: files added, changed and moved; no links, no submodules."""
    raw = _git(
        directory,
        "diff",
        "--cached",
        "--raw",
        "-z",
        "--abbrev=64",
        "--no-ext-diff",
        "--find-renames",
        "--diff-filter=ACMRT",
    )
    fields = iter(raw.split(b"\0"))
    found: list[Blob] = []
    for about in fields:
        if not about:
            break
        _, mode, before, after, status = about.decode().lstrip(":").split(" ")
        path = next(fields)
        if status[0] in "RC":
            path = next(fields)
        if mode in _REGULAR:
            found.append(Blob(after, os.fsdecode(path), "" if _ZERO.fullmatch(before) else before))
    return found


def history(directory: Path) -> list[Blob]:
    """Every object that a reference or the reflog leads to, each once."""
    listed = _git(directory, "rev-list", "--objects", "--all", "--reflog")
    paths: dict[str, str] = {}
    last = ""
    for line in listed.split(b"\n"):
        match = _OBJECT.fullmatch(line)
        if match is None:
            if last and line:
                paths[last] += "\n" + os.fsdecode(line)  # a name with a line break in it
        elif match[2]:
            last = match[1].decode()
            paths[last] = os.fsdecode(match[2])
        else:
            last = ""
    return [Blob(one, path) for one, path in paths.items()]


def introduced(directory: Path, blob: str) -> str:
    """The first commit that had a version of a file, "" where it cannot be told."""
    try:
        told = _git(
            directory,
            "log",
            "--all",
            "--reflog",
            "--topo-order",
            "--format=%H",
            "--no-abbrev",
            "--reverse",
            f"--find-object={blob}",
        )
    except ConfigError:
        return ""
    return told.decode().partition("\n")[0]


class Contents:
    """Reads objects through one `git cat-file --batch`."""

    def __init__(self, process: subprocess.Popen[bytes], ask: IO[bytes], answer: IO[bytes]) -> None:
        self._process = process
        self._ask, self._answer = ask, answer

    def read(self, blob: str, limit: int) -> bytes | None:
        """The bytes of a blob; None where it is none, or longer than the limit."""
        self._ask.write(f"info {blob}\n".encode())
        self._ask.flush()
        about = self._answer.readline().split()
        if len(about) != 3 or about[1] != b"blob":
            return None
        if int(about[2]) > limit:
            return _LARGE
        self._ask.write(f"contents {blob}\n".encode())
        self._ask.flush()
        size = int(self._answer.readline().split()[2])
        data = self._answer.read(size)
        self._answer.read(1)
        return data


_LARGE: Final = b"\0too large"


def is_large(data: bytes) -> bool:
    """Whether this stands for contents longer than the limit."""
    return data is _LARGE


@contextmanager
def contents(directory: Path) -> Generator[Contents]:
    """Have git at hand for as long as it is needed."""
    command = ["git", "-C", str(directory), "cat-file", "--batch-command"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: S603
    if process.stdin is None or process.stdout is None:
        raise AssertionError("asked for pipes and got none")
    try:
        yield Contents(process, process.stdin, process.stdout)
    finally:
        for pipe in (process.stdin, process.stdout):
            pipe.close()
        process.wait()
