"""Getting in the way of one process that uses SQLite: by strace, its system calls on one file are delayed or fail."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def hindered(pid: int, call: str, how: str, file: Path) -> Iterator[None]:
    """Have a system call of a process, wherever it is about the file, meet with something.

    Args:
        pid: of the process; all of its threads are meant.
        call: "fcntl", by which SQLite takes its locks, or "pwrite64".
        how: as `strace --inject` has it: "delay_enter=700000" (microseconds), "error=ENOSPC".
        file: of the store.
    """
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed: nothing else delays the calls of one process")
    options = ["-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{how}", "-P", str(file)]
    tracer = subprocess.Popen([strace, *options, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
    try:
        _wait(pid, tracer.pid)
        yield
    finally:
        tracer.terminate()  # it lets go of what it traces
        tracer.communicate(timeout=30)


def _wait(pid: int, tracer: int) -> None:
    """Until every thread is traced."""
    deadline = time.monotonic() + 30
    tasks = Path(f"/proc/{pid}/task")
    while any(f"TracerPid:\t{tracer}" not in (task / "status").read_text() for task in tasks.iterdir()):
        assert time.monotonic() < deadline, "strace does not get hold of the process"
        time.sleep(0.02)
