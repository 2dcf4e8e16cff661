"""The lease: for how long a process may go by what it has read; and what a revoke call waits for.

    reader   |--- look began ----- look ended ------------------ lease has run out ---|  look, or refuse
    revoker         |-- commit --------------- wait: acknowledged, or the lease is over ---|  return

A look that began after a commit has read it. So at the moment of a check, a list whose look began less than a lease ago
holds everything that was committed more than a lease ago. The revoke call waits until that is enough: until each
reader has either said that it knows, or cannot be going by an older look any more. The argument in full, with what
happens to a process that is stopped in the middle of it, is in docs/explanation/consistency.md.

Nothing in here reads a clock or does I/O. Times are seconds of `clock.boottime()` of one process; only how long
something took is ever compared between processes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

DRIFT: Final = 1.02
"""What two clocks may differ by in how long a second is: ten times of what a system corrects its clock by."""


class Lease:
    """What one process knows of how old its list is.

    Args:
        seconds: it lasts, from the beginning of a look.

    Attributes:
        began: when the look began that it goes by.
        until: it has run out.
        mark: of the link, when that look began.
    """

    __slots__ = ("_floor", "began", "mark", "seconds", "until")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.began = float("-inf")
        self.until = float("-inf")
        self.mark = 0
        self._floor = float("-inf")

    def holds(self, now: float, mark: int) -> bool:
        """Whether nothing can have been revoked that the list does not hold.

        Args:
            now: read for this check, after it began.
            mark: of the link, likewise.
        """
        return self.began <= now < self.until and mark == self.mark

    def renew(self, began: float, mark: int) -> None:
        """A complete look has ended.

        Args:
            began: before anything of it was read.
            mark: of the link, read before that too.
        """
        if began > self._floor:  # at the same tick nobody can say which was first
            self.began, self.until, self.mark = began, began + self.seconds, mark

    def end(self, now: float = float("-inf")) -> None:
        """The list is known to lack something.

        Args:
            now: where this is known from somewhere else than the log: a look that began before may not have read it.
        """
        self._floor = max(self._floor, now)
        self.began = self.until = float("-inf")


@dataclass(frozen=True, slots=True)
class Reader:
    """A process that goes by the list, as the store knows it.

    Attributes:
        id: made anew at each start.
        seen: the version up to which it has said that it knows.
        page: names the memory where it sees at once that something changed; "" where it does not.
        lease: seconds.
    """

    id: str
    seen: int
    page: str
    lease: float


def outstanding(readers: Iterable[Reader], version: int, page: str, waited: float) -> list[Reader]:
    """Which readers may still go by a list without `version`.

    Args:
        readers: every one in the store, read after the commit.
        version: what was committed.
        page: where the commit was announced before this was asked.
        waited: seconds since the commit was known.
    """
    return [
        one for one in readers if one.seen < version and not (page and one.page == page) and waited < one.lease * DRIFT
    ]
