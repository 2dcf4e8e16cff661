"""strace's log as values: what was written where, when a sync began and ended, what was told."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OPTIONS = ("-s", "1000000", "-e", "signal=none")
"""For strace: every byte that is written stands in the log."""

_LINE = re.compile(r"(\d+) +(?:(\w+)\((.*)|<\.\.\. (\w+) resumed>(.*))")
_UNFINISHED = " <unfinished ...>"
_RESULT = re.compile(r"\) += (-?\d+|\?)([^\"]*)$")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_FILE = re.compile(r"(?:AT_FDCWD|\d+)<([^>]*)>(\(deleted\))?")


@dataclass(frozen=True, slots=True)
class Call:
    """A system call, or one end of it.

    Attributes:
        file: the file of its descriptor, or that it names; None for another kind of thing.
        data: what a write wrote.
        offset: where; for ftruncate the new length.
        began: whether this is where the call begins; a call that no other interrupts begins and ends in one line.
        ended: whether this is where it ends.
        failed: whether it ended with an error.
    """

    thread: str
    name: str
    file: Path | None
    data: bytes
    offset: int
    began: bool
    ended: bool
    failed: bool


def calls(trace: str) -> Iterator[Call]:
    """Every call in a log made with `OPTIONS`, in order; one that others interrupt gives two, the second complete."""
    open_calls: dict[str, tuple[str, str]] = {}
    for line in trace.splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        thread, name, rest, _, resumed = found.groups()
        if name is None:
            name, begun = open_calls.pop(thread)
            yield _call(thread, name, begun + resumed, began=False, ended=True)
        elif rest.endswith(_UNFINISHED):
            begun = rest.removesuffix(_UNFINISHED)
            open_calls[thread] = (name, begun)
            yield _call(thread, name, begun, began=True, ended=False)
        else:
            yield _call(thread, name, rest, began=True, ended=True)


def _call(thread: str, name: str, text: str, *, began: bool, ended: bool) -> Call:
    result = _RESULT.search(text)
    failed = result is None or result[1] in ("?", "-1")
    texts = _TEXT.findall(text)
    data, offset, file = b"", 0, _file(name, text, texts)
    if name in ("pwrite64", "write") and texts:
        data = ast.literal_eval(f'b"{texts[0]}"')
        if name == "pwrite64" and ended and result is not None:
            offset = int(text[: result.start()].rpartition(", ")[2])
    elif name == "ftruncate" and ended and result is not None:
        offset = int(text[: result.start()].rpartition(", ")[2])
    if ended and not failed and result is not None and name in ("pwrite64", "write"):
        data = data[: int(result[1])]
    return Call(thread, name, file, data, offset, began, ended, failed and ended)


def _file(name: str, text: str, texts: list[str]) -> Path | None:
    if name in ("openat", "unlink", "unlinkat") and texts:
        return Path(texts[0])
    found = _FILE.match(text)
    return Path(found[1]) if found is not None and found[1].startswith("/") and not found[2] else None
