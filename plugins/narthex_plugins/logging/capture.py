"""Making the process's own log lines JSON: the root logger, for as long as somebody asks for it.

The root logger belongs to the process, not to one house in it, so what stood there before is kept once, when the first
capture begins, and put back when the last one ends. In between only what would print the same lines a second time is
taken down: handlers that write to the terminal. Files, Sentry, test captures stay as they are; so does every logger
with handlers of its own that does not propagate.
"""

import logging
import sys
import warnings
from contextlib import suppress
from typing import Final, TextIO, cast

from narthex_plugins.logging.lines import RANKS, Level
from narthex_plugins.logging.records import LineFormatter
from narthex_plugins.logging.sink import Sink

_SERVERS: Final = frozenset({"uvicorn", "hypercorn", "granian", "_granian", "daphne"})
"""Roots of the loggers of those that call the app and log what it raises."""
_STREAMS: Final = ("stdout", "stderr", "__stdout__", "__stderr__")


class ToSink(logging.Handler):
    """Hands records to a sink as JSON lines. Takes no lock: formatting keeps no state and the sink's queue is safe."""

    def __init__(self, sink: Sink, level: Level) -> None:
        super().__init__(RANKS[level])
        self._sink = sink
        self.setFormatter(LineFormatter())

    def createLock(self) -> None:  # noqa: N802  the parent's name
        """Have none, as logging.NullHandler does: threads need not wait for one another here."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Put the line into the queue, unless the server repeats an exception that has its error line already."""
        if not (record.exc_info and is_told(record.exc_info[1]) and _is_server_s(record)):
            self._sink.put(f"{self.format(record)}\n".encode())


class Capture:
    """One instance's hold on the root logger."""

    def __init__(self, sink: Sink, level: Level, *, terminal: bool) -> None:
        """Make it.

        Args:
            sink: where the lines go.
            level: records below are left out.
            terminal: whether the sink is a standard stream, so that terminal handlers would double each line.
        """
        self.level = RANKS[level]
        self._handler = ToSink(sink, level)
        self._terminal = terminal

    def begin(self) -> None:
        """Put the handler on the root logger and open the logger to its level."""
        _captures.append(self)
        if len(_captures) == 1:
            _before.keep()
        root = logging.getLogger()
        if self._terminal:
            for handler in [handler for handler in root.handlers if _prints(handler)]:
                root.removeHandler(handler)
        root.addHandler(self._handler)
        root.setLevel(min(capture.level for capture in _captures))
        logging.captureWarnings(True)

    def end(self) -> None:
        """Take the handler down; the last to go puts back what stood there before."""
        if self in _captures:
            _captures.remove(self)
            logging.getLogger().removeHandler(self._handler)
            if not _captures:
                _before.restore()


class _Before:
    """What the root logger was before the first capture."""

    def keep(self) -> None:
        root = logging.getLogger()
        self._level = root.level
        self._printing = [handler for handler in root.handlers if _prints(handler)]
        # The standard library's own sign that warnings are logged; it has no public one.
        self._warnings = warnings.showwarning.__module__ == logging.__name__

    def restore(self) -> None:
        root = logging.getLogger()
        root.setLevel(self._level)
        for handler in self._printing:
            root.addHandler(handler)  # does nothing for one that is there
        if not self._warnings:
            logging.captureWarnings(False)


_captures: list[Capture] = []
_before = _Before()


def _prints(handler: logging.Handler) -> bool:
    """Whether a handler writes to one of the standard streams."""
    if not isinstance(handler, logging.StreamHandler):
        return False
    stream = cast("logging.StreamHandler[TextIO]", handler).stream
    return any(stream is getattr(sys, name) for name in _STREAMS)


def _is_server_s(record: logging.LogRecord) -> bool:
    """Whether a server logged it. The app may log the very same exception: a shared task or future raises it often."""
    return record.name.partition(".")[0] in _SERVERS


def tell(error: BaseException) -> None:
    """Remember on the exception that it has its error line: the server that catches it next logs it once more."""
    with suppress(Exception):  # a class that refuses the attribute is only logged twice
        error.__narthex_told__ = True  # type: ignore[attr-defined]


def is_told(error: BaseException | None) -> bool:
    """Whether the exception has its error line."""
    return error is not None and getattr(error, "__narthex_told__", False) is True
