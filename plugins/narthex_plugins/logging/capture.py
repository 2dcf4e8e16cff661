"""Making the process's own log lines JSON: the root logger, for as long as somebody asks for it.

The root logger belongs to the process, not to one house in it, so what stood there before is kept once, when the first
capture begins, and put back when the last one ends. In between only what would print the same lines a second time is
taken down: handlers that write to the terminal, the root logger's and those of loggers whose lines reach it. Files,
Sentry, test captures stay as they are; so does every logger with handlers of its own that does not propagate, but for
the servers': theirs are handed to the root logger, and their access lines, which ours say better, are left out. That is
how `narthex run` starts a server where logging is on.
"""

import logging
import sys
import warnings
from contextlib import suppress
from typing import Final, TextIO, cast

from narthex import levels
from narthex.detectors import Redactor
from narthex_plugins.logging.records import LineFormatter
from narthex_plugins.logging.shapes import Shape
from narthex_plugins.logging.sink import Sink
from narthex_plugins.logging.thresholds import Threshold

_SERVERS: Final = frozenset({"uvicorn", "hypercorn", "granian", "_granian", "daphne"})
"""Roots of the loggers of those that call the app and log what it raises."""
_ACCESS: Final = frozenset({"uvicorn.access", "hypercorn.access", "granian.access"})
_STREAMS: Final = ("stdout", "stderr", "__stdout__", "__stderr__")


class ToSink(logging.Handler):
    """Hands records to a sink as JSON lines. Takes no lock: formatting keeps no state and the sink's queue is safe."""

    def __init__(self, sink: Sink, threshold: Threshold, formatter: LineFormatter) -> None:
        super().__init__(threshold.rank)
        self._sink = sink
        self._threshold = threshold
        self.setFormatter(formatter)

    def filter(self, record: logging.LogRecord) -> bool:
        """Leave out what is below the level of this instance, or of its logger where that was changed."""
        if record.levelno < self._threshold.of(record.name):
            return False
        return bool(super().filter(record))

    def createLock(self) -> None:  # noqa: N802  the parent's name
        """Have none, as logging.NullHandler does: threads need not wait for one another here."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Put the line into the queue, unless the server repeats an exception that has its error line already."""
        if not (record.exc_info and is_told(record.exc_info[1]) and _is_of_server(record)):
            self._sink.put(f"{self.format(record)}\n".encode())


class Capture:
    """One instance's hold on the root logger."""

    def __init__(
        self,
        sink: Sink,
        threshold: Threshold,
        *,
        terminal: bool,
        redactor: Redactor | None = None,
        shape: Shape | None = None,
    ) -> None:
        """Make it.

        Args:
            sink: where the lines go.
            threshold: records below are left out.
            terminal: whether the sink is a standard stream, so that terminal handlers would double each line.
            redactor: takes secrets out; None leaves them.
            shape: renames the fields; None keeps our names.
        """
        self.level = threshold.rank
        self._threshold = threshold
        self._handler = ToSink(sink, threshold, LineFormatter(redactor, shape))
        self._terminal = terminal

    def begin(self) -> None:
        """Put the handler on the root logger and open the logger to its level."""
        _captures.append(self)
        if len(_captures) == 1:
            _before.keep()
        root = logging.getLogger()
        if self._terminal:
            _silence(root)
            for logger in _loggers():
                if _reaches_root(logger):
                    _silence(logger)
            for logger in filter(_is_of_server, _loggers()):
                _hand_over(logger)  # with a file of ours the server goes on to say on the terminal what it says
        root.addHandler(self._handler)
        _open_root()
        logging.captureWarnings(True)

    def follow(self) -> None:
        """Take what the threshold takes by now."""
        self._handler.setLevel(self._threshold.lowest)

    def end(self) -> None:
        """Take the handler down; the last to go puts back what stood there before."""
        if self in _captures:
            _captures.remove(self)
            logging.getLogger().removeHandler(self._handler)
            if _captures:
                _open_root()
            else:
                _before.restore()


class _Before:
    """What the root logger, and the servers' own, were before the first capture."""

    def keep(self) -> None:
        root = logging.getLogger()
        self._level = root.level
        self._printing = [
            (logger, handler) for logger in (root, *_loggers()) for handler in logger.handlers if _prints(handler)
        ]
        self._servers = [(logger, logger.propagate, logger.disabled) for logger in _loggers() if _is_of_server(logger)]
        # The standard library's own sign that warnings are logged; it has no public one.
        self._warnings = warnings.showwarning.__module__ == logging.__name__

    def restore(self) -> None:
        levels.own(levels.ROOT, self._level)
        for logger, handler in self._printing:
            logger.addHandler(handler)  # does nothing for one that is there
        for logger, propagate, disabled in self._servers:
            logger.propagate, logger.disabled = propagate, disabled
        if not self._warnings:
            logging.captureWarnings(False)


_captures: list[Capture] = []
_before = _Before()


def _loggers() -> list[logging.Logger]:
    """Every logger that there is but the root."""
    return [logger for logger in logging.Logger.manager.loggerDict.values() if isinstance(logger, logging.Logger)]


def _reaches_root(logger: logging.Logger | None) -> bool:
    while logger is not None and logger.propagate:
        logger = logger.parent
    return logger is None or isinstance(logger, logging.RootLogger)


def _silence(logger: logging.Logger) -> None:
    """Take down what prints to the terminal."""
    for handler in [handler for handler in logger.handlers if _prints(handler)]:
        logger.removeHandler(handler)


def _hand_over(logger: logging.Logger) -> None:
    """Let a server's lines reach the root logger, and print none beside ours."""
    _silence(logger)
    if logger.name in _ACCESS:
        logger.disabled = not logger.handlers  # one that writes to a file of its own goes on
    else:
        logger.propagate = True


def _open_root() -> None:
    """Let the root logger pass what the instance that takes most takes."""
    levels.own(levels.ROOT, min(capture.level for capture in _captures))


def _prints(handler: logging.Handler) -> bool:
    """Whether a handler writes to one of the standard streams."""
    if not isinstance(handler, logging.StreamHandler):
        return False
    stream = cast("logging.StreamHandler[TextIO]", handler).stream
    return any(stream is getattr(sys, name) for name in _STREAMS)


def _is_of_server(logged: logging.Logger | logging.LogRecord) -> bool:
    """Whether it is a server's. The app may log the very same exception: a shared task or future raises it often."""
    return logged.name.partition(".")[0] in _SERVERS


def tell(error: BaseException) -> None:
    """Remember on the exception that it has its error line: the server that catches it next logs it once more."""
    with suppress(Exception):  # a class that refuses the attribute is only logged twice
        error.__narthex_told__ = True  # type: ignore[attr-defined]


def is_told(error: BaseException | None) -> bool:
    """Whether the exception has its error line."""
    return error is not None and getattr(error, "__narthex_told__", False) is True
