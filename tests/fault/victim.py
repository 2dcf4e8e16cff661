"""A run of the workload under strace, which records its system calls, ends it at one of them, or lets some fail.

The victims are forked from one process that has imported everything, so that a run takes a tenth of a second.
"""

import multiprocessing
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.fault.workload import main

TIME = 60.0
"""Seconds after which a run counts as hanging."""

COMPLAINTS = (b"unavailable", b"unread", b"unstarted")
"""Lines that tell that the store did not answer."""

CALLS = (
    "openat,close,read,pread64,write,pwrite64,pwritev,fsync,fdatasync,sync_file_range,ftruncate,fallocate,"
    "unlink,unlinkat,rename,mmap,munmap,fstat,newfstatat,fchown,fcntl,flock,access,faccessat2"
)
"""What touches files. Of these, only calls on the store's own files are seen."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        told: the words of each line it told, in order.
        exit: its exit code, -9 where it was killed.
        trace: strace's log.
    """

    told: Sequence[Sequence[str]]
    exit: int | None
    trace: str

    @property
    def acknowledged(self) -> dict[int, int]:
        """Record number to version."""
        return {int(line[1]): int(line[2]) for line in self.told if line[0] == "acknowledged"}

    def of(self, kind: str) -> Sequence[Sequence[str]]:
        """The lines of one kind."""
        return [line for line in self.told if line[0] == kind]


def need_strace() -> None:
    """Skip the test where there is no strace; fail it where TEST_REQUIRE_SERVICES=1 says that there must be one."""
    reason = _missing()
    if reason and os.environ.get("TEST_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@cache
def _missing() -> str:
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-qq", "-e", "trace=none", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.decode().strip()}"


def store_files(database: Path) -> Sequence[Path]:
    """Everything that the store keeps: SQLite's files, the turnstile's, the link's page, and their directory."""
    names = ("", "-wal", "-shm", "-journal", "-next", "-now", "-link")
    return [*(database.with_name(f"{database.name}{name}") for name in names), database.parent]


class Work(Protocol):
    """What a run is told to do."""

    @property
    def database(self) -> Path:
        """The store's file."""
        ...


def run(
    plan: Work,
    *expressions: str,
    options: Sequence[str] = (),
    only: bool = True,
    complaints: int | None = None,
    life: Callable[[Any, Pipe, Pipe], None] = main,
) -> Outcome:
    """Run the workload under strace.

    Args:
        expressions: for `strace -e`, "inject=pwrite64:signal=KILL:when=7"; calls are counted by name and thread.
        options: more of strace's.
        only: see only calls on the store's files; else all of `CALLS`.
        complaints: after so many lines that tell of something unavailable, strace lets go and the disk is well.
        life: what the process does with the plan.
    """
    log = plan.database.with_name(f"{plan.database.name}.strace")
    paths = [f"-P{file}" for file in store_files(plan.database)] if only else []
    chosen = [f"-etrace={CALLS}", *(f"-e{one}" for one in expressions)]
    command = ["strace", "-f", "-y", f"-o{log}", *options, *paths, *chosen]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.fault.workload", "tests.fault.audited"])
    ears, mouth = context.Pipe(duplex=False)
    waits, go = context.Pipe(duplex=False)
    process = context.Process(target=life, args=(plan, mouth, waits), daemon=True)
    process.start()
    mouth.close()
    waits.close()
    try:
        with _attached([*command, f"-p{process.pid}"], process.pid or 0) as strace:
            with suppress(BrokenPipeError):
                go.send_bytes(b"go")
            told = _listen(ears, strace, complaints)
            process.join(TIME)
        return Outcome([line.split() for line in told.splitlines()], process.exitcode, log.read_text(errors="replace"))
    finally:
        process.kill()
        process.join()
        for pipe in (ears, go):
            pipe.close()


@contextmanager
def _attached(command: Sequence[str], pid: int) -> Iterator["subprocess.Popen[bytes]"]:
    strace = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _wait_for_tracer(pid, strace)
        yield strace
        strace.wait(TIME)
    finally:
        strace.kill()
        strace.communicate()


def _wait_for_tracer(pid: int, strace: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + TIME
    while "TracerPid:\t0" in Path(f"/proc/{pid}/status").read_text():
        if strace.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"strace did not attach: {(strace.communicate()[1] or b'').decode()}")
        time.sleep(0.002)


def _listen(ears: Pipe, strace: "subprocess.Popen[bytes]", complaints: int | None) -> str:
    """Everything told until the pipe is closed by the end of the process."""
    heard = b""
    until = time.monotonic() + TIME
    while ears.poll(max(0.0, until - time.monotonic())):
        some = os.read(ears.fileno(), 1 << 16)
        if not some:
            return heard.decode()
        heard += some
        if complaints is not None and sum(map(heard.count, COMPLAINTS)) >= complaints:
            strace.send_signal(signal.SIGINT)
            complaints = None
    raise TimeoutError(f"a run hangs after {heard.decode().splitlines()[-1:]}")
