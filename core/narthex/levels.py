"""Levels of loggers, changed while the process runs, and given back.

They belong to the process, as loggers do. What writes lines without a `LogRecord` asks here as well, and is told.
"""

import logging
from collections.abc import Callable
from typing import Final

LEVELS: Final[dict[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
"""The levels of the standard library, by our names for them."""
ROOT: Final = "root"
DEFAULT: Final = "default"
"""The word that gives a logger's own level back."""

_changed: dict[str, int] = {}
_before: dict[str, int] = {}
_watching: list[Callable[[], None]] = []


def change(logger: str, level: str) -> None:
    """Give a logger another level, or with "default" the one it had before the first change.

    Args:
        logger: its name; "root" for the one above all.
        level: one of `LEVELS`, or `DEFAULT`.

    Raises:
        ValueError: there is no such level.
    """
    if level != DEFAULT and level not in LEVELS:
        raise ValueError(f"no level is called {level!r}: it is one of {', '.join((*LEVELS, DEFAULT))}")
    found = logging.getLogger(None if logger == ROOT else logger)
    if level == DEFAULT:
        if _changed.pop(logger, None) is not None:
            found.setLevel(_before.pop(logger))
    else:
        _before.setdefault(logger, found.level)
        _changed[logger] = LEVELS[level]
        found.setLevel(LEVELS[level])
    for tell in tuple(_watching):
        tell()


def changed() -> dict[str, str]:
    """What was changed and stands: logger to level, by our names."""
    names = {rank: name for name, rank in LEVELS.items()}
    return {logger: names[rank] for logger, rank in sorted(_changed.items())}


def changed_for(logger: str) -> int | None:
    """The level that was given to this logger, or to the nearest above it; None where none was."""
    if not _changed:
        return None
    name = logger
    while name:
        if name in _changed:
            return _changed[name]
        name = name.rpartition(".")[0]
    return _changed.get(ROOT)


def lowest_changed() -> int | None:
    """The lowest level that any logger was given; None where none was."""
    return min(_changed.values(), default=None)


def own(logger: str, rank: int) -> None:
    """Set a logger's own level, under one that was given while running, which stands: that one is given back later."""
    if logger in _changed:
        _before[logger] = rank
    else:
        logging.getLogger(None if logger == ROOT else logger).setLevel(rank)


def watch(tell: Callable[[], None]) -> Callable[[], None]:
    """Be told of every change; the returned function ends that."""
    _watching.append(tell)

    def end() -> None:
        if tell in _watching:
            _watching.remove(tell)

    return end
