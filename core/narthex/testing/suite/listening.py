"""Hearing what code does to the world while it runs: files, sockets, threads, sleeps.

CPython tells an audit hook of it (PEP 578). A hook cannot be taken away again, so there is one, which costs an event
a look at an empty list while nobody listens. What blocks without an event (a lock, a `recv`) is found by a profiler:
a single call into C that takes long, each time, or a sleep of any length.
"""

import math
import os
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, cast

_listeners: Final[list["Heard"]] = []
_installed: Final[list[bool]] = []

LONG: Final = 0.05
"""Seconds of one call into C that no event loop should be kept from its work for."""
_CHANGES: Final = frozenset(
    {
        *("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "subprocess.Popen", "os.system"),
        *("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.fork", "os.posix_spawn", "sqlite3.connect"),
        *("shutil.copyfile", "shutil.move", "shutil.rmtree", "tempfile.mkstemp", "tempfile.mkdtemp"),
        *("_thread.start_new_thread", "signal.pthread_kill", "smtplib.connect", "urllib.Request"),
    }
)
_BLOCKS: Final = _CHANGES | {"open", "os.listdir", "os.scandir"}
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Heard:
    """What one thread did while it was listened to.

    Attributes:
        events: in words, in order.
    """

    def __init__(self, *, reading: bool) -> None:
        self.events: list[str] = []
        self._reading = reading
        self._thread = threading.get_ident()

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take note of an audit event."""
        if threading.get_ident() != self._thread or event not in _BLOCKS:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = bool(flags & _WRITES) if isinstance(flags, int) else any(one in (mode or "") for one in "wax+")
            if "__pycache__" not in str(path) and (writes or self._reading):
                self.events.append(f"opened {path!r}{' for writing' if writes else ''}")
        elif event == "socket.connect" and self._reading and arguments[0].gettimeout() == 0:
            return  # as event loops do it
        elif event in _CHANGES or self._reading:
            self.events.append(f"{event}({', '.join(str(one)[:80] for one in arguments[:2])})")


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _listeners:
        for listener in tuple(_listeners):
            listener.hear(event, arguments)


@contextmanager
def listening(*, reading: bool) -> Generator[Heard]:
    """Listen to this thread within the block.

    Args:
        reading: whether reading files, sleeping and looking into directories count too.
    """
    if not _installed:
        sys.addaudithook(_hear)
        _installed.append(True)
    heard = Heard(reading=reading)
    _listeners.append(heard)
    try:
        yield heard
    finally:
        _listeners.remove(heard)


class Timed:
    """The longest single call of each function written in C, without the calls within it.

    Attributes:
        longest: function name to seconds; a sleep counts as if it had no end.
    """

    def __init__(self) -> None:
        self.longest: dict[str, float] = {}
        self._stack: list[tuple[float, list[float]]] = []

    def profile(self, _frame: FrameType, event: str, argument: object) -> None:
        """Take note of a call into C and of its end."""
        if event == "c_call":
            self._stack.append((time.perf_counter(), [0.0]))
        elif event in ("c_return", "c_exception") and self._stack:
            began, within = self._stack.pop()
            took = time.perf_counter() - began
            if self._stack:
                self._stack[-1][1][0] += took
            name = _name_of(argument)
            if name:
                own = math.inf if name == "time.sleep" else took - within[0]
                self.longest[name] = max(self.longest.get(name, 0.0), own)


def _name_of(function: object) -> str:
    """What a C function is called; "" for those in which a loop waits, or that run Python."""
    owner: object = getattr(function, "__self__", None)
    home = getattr(function, "__module__", None) or type(owner).__module__
    name = cast("str", getattr(function, "__qualname__", "?"))
    if home == "select" or type(owner).__module__ == "select" or name.endswith(("Context.run", "exec")):
        return ""
    return f"{home}.{name}" if home not in (None, "builtins") else name


@contextmanager
def timing() -> Generator[Timed]:
    """Time this thread's calls into C within the block."""
    timed, before = Timed(), sys.getprofile()
    sys.setprofile(timed.profile)
    try:
        yield timed
    finally:
        sys.setprofile(before if callable(before) else None)  # cProfile's own cannot be put back
