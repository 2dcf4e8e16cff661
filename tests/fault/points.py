"""Which system calls a run makes on the store's files, and which of them to strike at."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_CALL = re.compile(r"^(\d+) +(\w+)\(", re.MULTILINE)

WRITING = frozenset({"openat", "pwrite64", "write", "ftruncate", "fallocate", "fsync", "fdatasync"})
"""Calls that can meet a full disk. A sync can: file systems allocate late."""
TOUCHING = WRITING | {"pread64", "read", "unlink", "newfstatat", "fstat"}
"""Calls that can meet a broken disk."""


@dataclass(frozen=True, slots=True)
class Point:
    """The `number`th call of this name by one thread, counted from 1."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} {self.number}"


def points(trace: str) -> Sequence[Point]:
    """Every point that strace can be told to strike at, in the order of time."""
    counts: Counter[tuple[str, str]] = Counter()
    found: dict[Point, None] = {}
    for thread, call in _CALL.findall(trace):
        counts[thread, call] += 1
        found.setdefault(Point(call, counts[thread, call]))
    return list(found)


def spread(all_points: Sequence[Point], wanted: int) -> Sequence[Point]:
    """So many of them, evenly over the run; all of them where there are no more."""
    if len(all_points) <= wanted:
        return all_points
    return [all_points[at * len(all_points) // wanted] for at in range(wanted)]
