"""Which lines an instance takes: its `level`, and what `narthex log-level` has changed since.

A level given while running lowers only the instance that takes most, so that a file of errors stays one; it raises
every one.
"""

from collections.abc import Callable
from typing import Final

from narthex import levels

_running: Final[list["Threshold"]] = []


class Threshold:
    """The lowest rank of lines that one instance takes, by logger.

    Args:
        rank: of its `level`.
        changed: told after every change of any logger's level, while it runs.
    """

    def __init__(self, rank: int, changed: Callable[[], None]) -> None:
        self.rank = rank
        self.changed = changed
        self._unwatch: Callable[[], None] | None = None

    def begin(self) -> None:
        """Count among those that run."""
        _running.append(self)
        self._unwatch = levels.watch(self.changed)
        _tell_all()  # another may take most by now

    def end(self) -> None:
        """Count no more."""
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None
            _running.remove(self)
            _tell_all()

    def of(self, logger: str) -> int:
        """The lowest rank that is taken of this logger's lines."""
        given = levels.changed_for(logger)
        if given is None:
            return self.rank
        return given if self.takes_most else max(given, self.rank)

    @property
    def lowest(self) -> int:
        """The lowest rank that is taken of any logger's lines."""
        given = levels.lowest_changed()
        return self.rank if given is None or not self.takes_most else min(given, self.rank)

    @property
    def takes_most(self) -> bool:
        """Whether no other instance that runs takes more."""
        return self.rank <= min((other.rank for other in _running), default=self.rank)


def _tell_all() -> None:
    for threshold in tuple(_running):
        threshold.changed()
